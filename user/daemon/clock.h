/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The windows of time that metrics are for, by the wall clock. Each begins where the one before ended, as collectors want it of
 * delta sums, and the clock's slow corrections go into their lengths. When somebody sets the clock, or the host slept, that
 * would make a window of hours, or a negative one: then the window has the length that really passed, and people are told.
 */
#ifndef KTALLY_CLOCK_H
#define KTALLY_CLOCK_H

#include <stdint.h>

struct window {
	uint64_t start, end;		/* CLOCK_REALTIME, ns */
	uint64_t monotonic;		/* CLOCK_MONOTONIC at the end */
};

void window_init(struct window *window, uint64_t realtime, uint64_t monotonic);

/* Goes on to the next window, which ends now. Returns by how many ns the wall clock was set meanwhile, 0: it was not. */
int64_t window_advance(struct window *window, uint64_t realtime, uint64_t monotonic);

#endif
