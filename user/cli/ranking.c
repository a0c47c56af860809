// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "cli/ranking.h"

/* More are not looked at by anyone; past it those with the least time and nothing in this interval go. */
#define ROWS_MOST 20000

static uint64_t key_of(const char *name, const char *place)
{
	return hash_names(name, strlen(name), place ? hash_names(place, strlen(place), 1) : 0);
}

static bool is(const struct ranked *row, const char *name, const char *place)
{
	return !strcmp(row->name, name) && !row->place == !place && (!place || !strcmp(row->place, place));
}

/* Its strings are behind it. */
static struct ranked *new_row(const char *name, const char *place)
{
	size_t name_bytes = strlen(name) + 1, place_bytes = place ? strlen(place) + 1 : 0;
	struct ranked *row = memory_zeroed(1, sizeof(*row) + name_bytes + place_bytes);
	char *text = (char *)(row + 1);

	row->name = memcpy(text, name, name_bytes);
	row->place = place ? memcpy(text + name_bytes, place, place_bytes) : NULL;
	return row;
}

void ranking_add(struct ranking *ranking, const char *name, const char *place, uint64_t weight)
{
	uint64_t key = key_of(name, place);
	struct ranked *row;

	/* A hash of two may be that of two others. */
	while ((row = map_get(&ranking->rows, key)) && !is(row, name, place))
		key++;
	if (!row) {
		row = new_row(name, place);
		map_put(&ranking->rows, key, row);
	}
	row->now += weight;
	row->total += weight;
	ranking->now += weight;
	ranking->total += weight;
}

static int compare_shown(const void *a, const void *b)
{
	const struct ranked *left = *(const struct ranked *const *)a, *right = *(const struct ranked *const *)b;

	if (left->shown != right->shown)
		return left->shown < right->shown ? 1 : -1;
	return left->total < right->total ? 1 : left->total > right->total ? -1 : strcmp(left->name, right->name);
}

static int compare_total(const void *a, const void *b)
{
	const struct ranked *left = *(const struct ranked *const *)a, *right = *(const struct ranked *const *)b;

	if (left->total != right->total)
		return left->total < right->total ? 1 : -1;
	return left->shown < right->shown ? 1 : left->shown > right->shown ? -1 : strcmp(left->name, right->name);
}

size_t ranking_top(const struct ranking *ranking, bool by_total, const struct ranked **result, size_t most)
{
	struct ranked **rows = map_sorted(&ranking->rows, by_total ? compare_total : compare_shown);
	size_t count = ranking->rows.used;

	if (count > most)
		count = most;
	for (size_t i = 0; i < count; i++)
		result[i] = rows[i];
	free(rows);
	return count;
}

/* All that is left is put into a map of its own, where searching past equal hashes works as before. */
static void drop_least(struct ranking *ranking)
{
	struct ranked **rows = map_sorted(&ranking->rows, compare_total);
	size_t count = ranking->rows.used;
	struct map kept = { 0 };

	for (size_t i = 0; i < count; i++) {
		uint64_t key = key_of(rows[i]->name, rows[i]->place);

		if (i >= ROWS_MOST / 2 && !rows[i]->shown) {
			free(rows[i]);
			continue;
		}
		while (map_get(&kept, key))
			key++;
		map_put(&kept, key, rows[i]);
	}
	free(rows);
	map_free(&ranking->rows);
	ranking->rows = kept;
}

void ranking_advance(struct ranking *ranking)
{
	struct map_slot *slot = NULL;

	while ((slot = map_next(&ranking->rows, slot))) {
		struct ranked *row = slot->value;

		row->shown = row->now;
		row->now = 0;
	}
	ranking->shown = ranking->now;
	ranking->now = 0;
	if (ranking->rows.used > ROWS_MOST)
		drop_least(ranking);
}

void ranking_free(struct ranking *ranking)
{
	map_free_values(&ranking->rows);
}
