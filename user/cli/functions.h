/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that took the most time: by themselves (self), and with what they called (inclusive). */
#ifndef KTALLY_FUNCTIONS_H
#define KTALLY_FUNCTIONS_H

#include <stdio.h>

#include "profile/profile.h"

/* A table of at most so many, by self time. 0 or -errno of the first write that failed. */
int functions_write(FILE *file, const struct profile *profile, size_t most);

#endif
