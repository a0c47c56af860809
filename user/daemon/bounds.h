/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bounds the memory of a daemon that runs for months: what was not sampled for a while is forgotten (live_forget()), every ten
 * minutes, and sooner when much came since; names of what was seen in between, when they are many. And who was refused some is told of.
 */
#ifndef KTALLY_BOUNDS_H
#define KTALLY_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

#include "session/live.h"

/* With cells, which are kept for good: what the frames of their stacks may take. */
#define BOUNDS_FRAME_BYTES	(64U << 20)

struct bounds {
	uint64_t last_forget;
	size_t stacks_kept, tasks_kept;	/* of what there was then */
	uint64_t refusals_told;		/* when; 0: never */
};

void bounds_begin(struct bounds *bounds);

/* To be called at each export, when all has gone out. 0 or -errno of live_forget(). */
int bounds_keep(struct bounds *bounds, struct live *live);

/* A line on who had names refused: at once, and then every ten minutes at most. */
void bounds_tell(struct bounds *bounds, struct live *live);

#endif
