/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In which files' code user stacks end before their outermost frame, how, and what would cure it. */
#ifndef KTALLY_ENDS_H
#define KTALLY_ENDS_H

#include <stdio.h>

#include "profile/profile.h"

/* So many rows at most, of these sources (KTALLY_SOURCE_*). 0 or -errno of the first write that failed. */
int ends_write(FILE *file, const struct profile *profile, uint32_t sources, size_t most);

#endif
