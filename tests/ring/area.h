/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring as the module lays it out, in this process: a consumer page, a producer page, the data twice in a row, and
 * around each of them pages that nobody may touch, so that a write outside is a crash and not a guess.
 */
#ifndef KTALLY_TEST_AREA_H
#define KTALLY_TEST_AREA_H

#include "ring_user.h"
#include "ring.h"

struct area {
	struct ktally_ring ring;
	char *base;
	size_t mapped;
};

/* @bytes of records, a power of two of at least a page. Returns 0 or -errno. */
int area_map(struct area *area, u64 bytes);
void area_unmap(struct area *area);

/* An empty ring, everything zero, that has got as far as @position. */
void area_reset(struct area *area, u64 position);

#endif
