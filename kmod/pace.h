/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often something may be done that interrupts every CPU of a session: so many times in any second. The budget of
 * a CPU's time does not know who made the others call it.
 */
#ifndef KTALLY_PACE_H
#define KTALLY_PACE_H

#include <linux/ktally.h>
#include <linux/time64.h>
#include <linux/types.h>

/**
 * struct ktally_pace - under its owner's lock
 * @times: of the last ones, 0: none yet
 * @next: whose place the next one takes, which is the oldest's
 */
struct ktally_pace {
	u64 times[KTALLY_CALLS_PER_SECOND];
	u32 next;
};

/* Whether it may be done @now, by CLOCK_MONOTONIC; then it counts. */
static inline bool ktally_pace_admits(struct ktally_pace *pace, u64 now)
{
	u64 *oldest = &pace->times[pace->next];

	if (*oldest && now - *oldest < NSEC_PER_SEC)
		return false;
	*oldest = now;
	pace->next = (pace->next + 1) % KTALLY_CALLS_PER_SECOND;
	return true;
}

#endif /* KTALLY_PACE_H */
