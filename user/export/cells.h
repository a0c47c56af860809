/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cells of a profile, of one source or both, in an order that is the same whenever the profile is: heaviest first. */
#ifndef KTALLY_CELLS_H
#define KTALLY_CELLS_H

#include "profile/profile.h"

const struct profile_cell **cells_sorted(const struct profile *profile, uint32_t sources, size_t *count);	/* to be freed, not the cells */

#endif
