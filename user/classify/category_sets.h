/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ready-made categories: gc, serialization, rpc, locking, memory-allocation, compression, crypto, logging and regex, for
 * common native libraries and runtimes. They go by the names of functions where these tell, so code without symbols is only
 * found by its library.
 */
#ifndef KTALLY_CATEGORY_SETS_H
#define KTALLY_CATEGORY_SETS_H

#include "classify/categories.h"

/* choice: "all" (NULL too), "none", or some names with commas between. 0, or -EINVAL after a message. */
int category_sets_check(const char *choice);

/* Adds those that are chosen. A category that is there already stays as it is. */
int category_sets_add(struct categories *categories, const char *choice);

#endif
