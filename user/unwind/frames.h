/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of .eh_frame and .debug_frame: what functions (FDE) have in common (CIE), and each function. */
#ifndef KTALLY_UNWIND_FRAMES_H
#define KTALLY_UNWIND_FRAMES_H

#include "unwind/index.h"
#include "unwind/rows.h"

#define FRAMES_CIES_KEPT	64

struct frames {
	const uint8_t *data;
	size_t bytes;
	struct origin origin;
	bool debug;			/* .debug_frame, which is not quite the same */
	bool ends_at_zero;		/* nobody said how long it is */
	struct {
		uint64_t at;
		bool valid;
		struct cie cie;
	} kept[FRAMES_CIES_KEPT];	/* by a hash of where they are */
	uint64_t malformed;		/* entries that could not be used */
};

/* Adds every function to the index, with where its entry is. */
void frames_index(struct frames *frames, struct index *index, unsigned int source);

/* The rows of the function whose entry is at a place that frames_index() gave. False: malformed. */
bool frames_run(struct frames *frames, uint32_t at, struct rows *rows);

#endif
