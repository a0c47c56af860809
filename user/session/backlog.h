/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that were read and wait for their turn, in order: behind one that tells of a file whose symbols are still being
 * read. So the rings are drained whatever that takes, and nobody has to name a frame before it can be named.
 */
#ifndef KTALLY_BACKLOG_H
#define KTALLY_BACKLOG_H

#include <stddef.h>
#include <linux/ktally.h>

#include "base/buffer.h"

/* Zeroed at first. */
struct backlog {
	struct buffer records;
	size_t taken;			/* bytes at its beginning that are no longer in it */
};

void backlog_add(struct backlog *backlog, const struct ktally_record *record);
const struct ktally_record *backlog_first(const struct backlog *backlog);	/* NULL: it is empty */
void backlog_take_first(struct backlog *backlog);
size_t backlog_bytes(const struct backlog *backlog);
void backlog_free(struct backlog *backlog);

#endif
