/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file's .eh_frame as an unwind table, by elfutils: slow and simple, to compare with. */
#ifndef KTALLY_TEST_UNWIND_CONVERT_H
#define KTALLY_TEST_UNWIND_CONVERT_H

#include "maker.h"

/**
 * struct converted - what became of a file
 * @maker: its table
 * @rules: how many rows were of each kind
 * @refused: rows whose rule cannot be said
 */
struct converted {
	struct maker maker;
	u32 rules[KTALLY_UNWIND_SIGNAL + 1];
	u32 refused;
};

/* False: it has no .eh_frame that can be read. */
bool convert(struct converted *converted, const char *path);

#endif
