/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wall time: for each process, or each thread, how long it ran and how long it waited for what; together, all of its life. */
#ifndef KTALLY_WALL_H
#define KTALLY_WALL_H

#include <stdbool.h>
#include <stdio.h>

#include "profile/profile.h"

/* A table of at most so many, by the time that was not idle; nothing without waits. 0 or -errno of the first write that failed. */
int wall_write(FILE *file, const struct profile *profile, bool threads, size_t most);

#endif
