/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files' functions have no names, why, what that costs, and what would cure it. */
#ifndef KTALLY_UNKNOWN_H
#define KTALLY_UNKNOWN_H

#include <stdio.h>

#include "profile/profile.h"

/* So many rows at most, of these sources (KTALLY_SOURCE_*). 0 or -errno of the first write that failed. */
int unknown_write(FILE *file, const struct profile *profile, uint32_t sources, size_t most);

#endif
