/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cells of a profile as whole profiles have them. */
#ifndef KTALLY_CELLS_H
#define KTALLY_CELLS_H

#include "profile/profile.h"

/* Of one source or both, in an order that is the same whenever the profile is: heaviest first. */
const struct profile_cell **cells_sorted(const struct profile *profile, uint32_t sources, size_t *count);	/* to be freed, not the cells */

/* What the user's categories say of a cell. */
struct cell_categories {
	const char *self;		/* the one whose self time it is; NULL: none */
	const char **inclusive;		/* those that it is in, in the order of the configuration; kept for its memory */
	size_t count, room;
};

void cell_categories(struct cell_categories *categories, const struct profile *profile, const struct profile_cell *cell);

#endif
