// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/topics.h"
#include "classify/wait.h"
#include "tally/series.h"
#include "tally/topic_tally.h"

/* Left for the rows of the owner "other", and of these for the last one. */
#define SPARE_OF_OTHER	8		/* an eighth */
#define SPARE_LAST	2

struct topic_tally {
	struct series *series;
	const struct topics *topics;
	const struct owner *other;
	uint64_t *keys;			/* kept for its memory */
	size_t keys_room;
	struct map index;		/* hash -> struct topic_row */
	struct topic_row **rows;
	size_t count, room;
};

struct topic_tally *topic_tally_create(struct series *series, const struct topics *topics, const struct owner *other)
{
	struct topic_tally *tally = memory_zeroed(1, sizeof(*tally));

	tally->series = series;
	tally->topics = topics;
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
	free(tally->keys);
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

/*
 * The series that a row is part of, in tally->keys: how many. A category has one for each cause, an area one for all waits that are not
 * idle. What tells points apart is in export/metrics_topics.c.
 */
static size_t series_of(struct topic_tally *tally, const struct topic_row *row)
{
	uint64_t owner = hash_words((uintptr_t)row->owner, !!row->cause);
	size_t count = 0;

	if (tally->keys_room < row->set->count) {
		tally->keys_room = row->set->count;
		tally->keys = memory_resized(tally->keys, tally->keys_room, sizeof(*tally->keys));
	}
	for (size_t i = 0; i < row->set->count; i++) {
		bool is_area = topics_get(tally->topics, row->set->numbers[i])->kind == TOPIC_AREA;

		if (!is_area || !row->cause || !wait_is_idle(row->cause))
			tally->keys[count++] = hash_words(owner, hash_words(row->set->numbers[i], is_area ? 0 : (uintptr_t)row->cause));
	}
	return count;
}

static bool hold(struct topic_tally *tally, const struct topic_row *row, size_t spare)
{
	size_t count = series_of(tally, row);

	return series_hold(tally->series, tally->keys, count, spare);
}

/* NULL: there is none, and no room for it. */
static struct topic_row *find_or_add(struct topic_tally *tally, const struct topic_row *wanted, size_t spare)
{
	uint64_t key;
	struct topic_row *row = find(&tally->index, wanted, &key);

	if (row)
		return row;
	/* Rows that are all of the same series take memory too. */
	if ((spare != SERIES_ALWAYS && tally->count >= series_most(tally->series)) ||
	    !hold(tally, wanted, spare))
		return NULL;
	row = memory_zeroed(1, sizeof(*row));
	*row = *wanted;
	if (tally->count == tally->room) {
		tally->room = tally->room ? tally->room * 2 : 64;
		tally->rows = memory_resized(tally->rows, tally->room, sizeof(*tally->rows));
	}
	tally->rows[tally->count++] = row;
	map_put(&tally->index, key, row);
	return row;
}

struct topic_row *topic_tally_row(struct topic_tally *tally, const struct owner *owner, const struct topic_set *set, const char *cause)
{
	struct topic_row wanted = { .owner = owner, .set = set, .cause = cause };
	struct topic_row *row = find_or_add(tally, &wanted, series_most(tally->series) / SPARE_OF_OTHER + SPARE_LAST);

	if (row)
		return row;
	wanted.owner = tally->other;
	row = find_or_add(tally, &wanted, SPARE_LAST);
	if (row)
		return row;
	wanted.set = topics_other(tally->topics);
	wanted.cause = cause && !wait_is_idle(cause) ? intern("other") : cause;
	return find_or_add(tally, &wanted, SERIES_ALWAYS);
}

struct topic_row **topic_tally_rows(const struct topic_tally *tally, size_t *count)
{
	*count = tally->count;
	return tally->rows;
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
			size_t held = series_of(tally, row);

			series_release(tally->series, tally->keys, held);
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
