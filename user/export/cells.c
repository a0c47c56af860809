// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "classify/topics.h"
#include "export/cells.h"

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Equal sets are one, so these are not; of no stack some cells have one and others none. */
static int compare_sets(const struct topic_set *a, const struct topic_set *b)
{
	size_t count = a->count < b->count ? a->count : b->count;
	int difference = memcmp(a->numbers, b->numbers, count * sizeof(a->numbers[0]));

	return difference ? difference : order(a->count, b->count);
}

static int compare(const void *a_place, const void *b_place)
{
	const struct profile_cell *a = *(const struct profile_cell *const *)a_place;
	const struct profile_cell *b = *(const struct profile_cell *const *)b_place;
	int difference = order(b->weight, a->weight);

	if (!difference)
		difference = order(b->samples, a->samples);
	if (!difference)
		difference = order(a->task->tid, b->task->tid);
	if (!difference)
		difference = order(a->task->id, b->task->id);
	if (!difference)
		difference = order(a->stack->id, b->stack->id);
	if (!difference && a->cause != b->cause)
		difference = strcmp(a->cause ? a->cause : "", b->cause ? b->cause : "");
	if (difference || a->topics == b->topics)
		return difference;
	return compare_sets(a->topics, b->topics);
}

const struct profile_cell **cells_sorted(const struct profile *profile, uint32_t sources, size_t *count)
{
	const struct profile_cell **cells = memory_zeroed(profile->oncpu.cells.used + profile->offcpu.cells.used, sizeof(*cells));
	static const uint32_t all[] = { KTALLY_SOURCE_ONCPU, KTALLY_SOURCE_OFFCPU };
	size_t found = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct map *from = &profile_source(profile, all[i])->cells;

		for (struct map_slot *slot = map_next(from, NULL); (sources & all[i]) && slot; slot = map_next(from, slot))
			cells[found++] = slot->value;
	}
	qsort(cells, found, sizeof(*cells), compare);
	*count = found;
	return cells;
}

void cell_categories(struct cell_categories *categories, const struct profile *profile, const struct profile_cell *cell)
{
	size_t numbers = cell->topics ? cell->topics->count : 0;

	if (categories->room < numbers) {
		categories->room = numbers;
		categories->inclusive = memory_resized(categories->inclusive, numbers, sizeof(*categories->inclusive));
	}
	categories->self = NULL;
	categories->count = 0;
	for (size_t i = 0; i < numbers; i++) {
		const struct topic *topic = topics_get(profile->topics, cell->topics->numbers[i]);

		if (topic->kind == TOPIC_SELF)
			categories->self = topic->name;
		else if (topic->kind == TOPIC_INCLUSIVE)
			categories->inclusive[categories->count++] = topic->name;
	}
}
