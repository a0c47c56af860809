// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

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
	if (!difference)
		difference = order(a->stack->id, b->stack->id);
	if (difference || a->cause == b->cause)
		return difference;
	return strcmp(a->cause ? a->cause : "", b->cause ? b->cause : "");
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
