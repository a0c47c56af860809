// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/map.h"
#include "base/message.h"
#include "tally/topic_tally.h"

#define ROWS_DEFAULT	20000

struct topic_tally {
	size_t most_rows;
	const struct owner *other;
	struct map index;		/* hash -> struct topic_row */
	struct topic_row **rows;
	size_t count, room;
};

struct topic_tally *topic_tally_create(size_t most_rows, const struct owner *other)
{
	struct topic_tally *tally = memory_zeroed(1, sizeof(*tally));

	tally->most_rows = most_rows ? most_rows : ROWS_DEFAULT;
	tally->other = other;
	return tally;
}

void topic_tally_destroy(struct topic_tally *tally)
{
	if (!tally)
		return;
	for (size_t i = 0; i < tally->count; i++)
		free(tally->rows[i]);
	free(tally->rows);
	map_free(&tally->index);
	free(tally);
}

/* Two whose hashes are equal by chance get neighbouring places. NULL: it is not there, and *place is free. */
static struct topic_row *find(const struct map *index, const struct topic_row *wanted, uint64_t *place)
{
	struct topic_row *row;

	*place = hash_words(hash_words((uintptr_t)wanted->owner, (uintptr_t)wanted->set), (uintptr_t)wanted->cause);
	while ((row = map_get(index, *place)) &&
	       (row->owner != wanted->owner || row->set != wanted->set || row->cause != wanted->cause))
		++*place;
	return row;
}

/* NULL: there is none, and there are as many as there may be. */
static struct topic_row *find_or_add(struct topic_tally *tally, const struct owner *owner, const struct topic_set *set,
				     const char *cause, size_t most)
{
	const struct topic_row wanted = { .owner = owner, .set = set, .cause = cause };
	uint64_t key;
	struct topic_row *row = find(&tally->index, &wanted, &key);

	if (row || tally->count >= most)
		return row;
	row = memory_zeroed(1, sizeof(*row));
	*row = wanted;
	if (tally->count == tally->room) {
		tally->room = tally->room ? tally->room * 2 : 64;
		tally->rows = memory_resized(tally->rows, tally->room, sizeof(*tally->rows));
	}
	tally->rows[tally->count++] = row;
	map_put(&tally->index, key, row);
	return row;
}

struct topic_row *topic_tally_row(struct topic_tally *tally, const struct owner *owner, const struct topic_set *set, const char *cause,
				  const struct topic_set *other)
{
	struct topic_row *row = find_or_add(tally, owner, set, cause, tally->most_rows);

	if (!row)
		row = find_or_add(tally, tally->other, set, cause, 2 * tally->most_rows);
	return row ? row : find_or_add(tally, tally->other, other, NULL, SIZE_MAX);
}

struct topic_row **topic_tally_rows(const struct topic_tally *tally, size_t *count)
{
	*count = tally->count;
	return tally->rows;
}

bool topic_tally_has_many(const struct topic_tally *tally)
{
	return tally->count > tally->most_rows / 2;
}

static bool can_go(const struct topic_row *row)
{
	return !row->held && row->weight == row->weight_before && row->weight == row->weight_exported;
}

/* Into a new index, as a hole in the old one would hide a neighbour. */
void topic_tally_forget(struct topic_tally *tally)
{
	struct map index = { 0 };
	size_t kept = 0;

	for (size_t i = 0; i < tally->count; i++) {
		struct topic_row *row = tally->rows[i];
		uint64_t place;

		if (can_go(row)) {
			free(row);
			continue;
		}
		row->held = false;
		row->weight_before = row->weight;
		tally->rows[kept++] = row;
		find(&index, row, &place);
		map_put(&index, place, row);
	}
	map_free(&tally->index);
	tally->index = index;
	tally->count = kept;
}
