/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of anybody's choice as an unwind table, registers and stacks. A table that is refused is made good where it is
 * wrong, so that most walks get somewhere.
 */
#ifndef KTALLY_TEST_UNWIND_HOSTILE_H
#define KTALLY_TEST_UNWIND_HOSTILE_H

#include "kernel.h"

/**
 * struct hostile - what came of it
 * @walks: made
 * @refused: tables that were refused as they were
 * @frames: in all stacks
 * @ends: how often each
 */
struct hostile {
	u64 walks;
	u64 refused;
	u64 frames;
	u64 ends[KTALLY_END_FOREIGN + 1];
};

/* Aborts when the unwinder does what it must not. */
void hostile_try(struct hostile *hostile, const u8 *data, size_t bytes);

#endif
