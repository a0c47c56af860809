/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the module refused, so that no user takes what all share (<linux/ktally.h>, "Files"). It counts that by cause since it was loaded, and
 * tells it in /proc/PID/fdinfo of a session, to who has CAP_PERFMON. What is refused is not lost: frames stay addresses without a name, or
 * files without symbols and unwind tables.
 */
#ifndef KTALLY_REFUSED_H
#define KTALLY_REFUSED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum refused_cause {
	REFUSED_FILES,			/* known files */
	REFUSED_SPACES,			/* address spaces */
	REFUSED_HOLDS,			/* files that are held to be opened */
	REFUSED_NEW_FILES,		/* in a second */
	REFUSED_NUMBERS,		/* of files */
	REFUSED_LOOKUPS,		/* of mappings in one stack: honest programs meet this one, at their first sample, */
	REFUSED_MAPPINGS,		/* and this: that one stack goes through */
	REFUSED_STOCK,			/* and this: for want of memory that was ready */
	REFUSED_OTHER,			/* causes of a newer module */
	REFUSED_CAUSES
};

struct refused {
	uint64_t counts[REFUSED_CAUSES];
};

extern const char *const refused_names[REFUSED_CAUSES];	/* as fdinfo has them, behind "refused_"; "other" */

/* By a descriptor of a session of this process. 0; -EPERM: the module does not tell it to this process; -errno. */
int refused_read(struct refused *refused, int session);

/* Less what there was before. */
void refused_subtract(struct refused *refused, const struct refused *before);

/* "12 files, 3 look-ups of mappings". False: nothing was refused, and nothing is appended. */
bool refused_describe(const struct refused *refused, struct buffer *text);

#endif
