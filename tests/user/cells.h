/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What those see who are shown a profile's cells. */
#ifndef KTALLY_TEST_CELLS_H
#define KTALLY_TEST_CELLS_H

#include "profile/profile.h"

/* The name of the leaf that a cell of that stack has: "" if it has none. */
static inline const char *name_in_cells(const struct profile *profile, uint64_t id)
{
	const struct map *cells = &profile->oncpu.cells;

	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot)) {
		const struct profile_cell *cell = slot->value;

		if (cell->stack->id == id)
			return cell->stack->frames[0].function ? cell->stack->frames[0].function : "";
	}
	return "no cell";
}

#endif
