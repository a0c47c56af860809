// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "export/cells.h"

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
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
	return difference ? difference : order(a->stack->id, b->stack->id);
}

const struct profile_cell **cells_sorted(const struct profile *profile, size_t *count)
{
	const struct profile_cell **cells = memory_zeroed(profile->cells.used, sizeof(*cells));
	size_t found = 0;

	for (struct map_slot *slot = map_next(&profile->cells, NULL); slot; slot = map_next(&profile->cells, slot))
		cells[found++] = slot->value;
	qsort(cells, found, sizeof(*cells), compare);
	*count = found;
	return cells;
}
