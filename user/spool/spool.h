/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A spool: batches on disk, in a directory of their own, for a destination that is away. What was put there once, spool_put() having
 * returned 0, is there after the process was killed and after the power failed, until it is removed. What was removed may come back when
 * the power fails before spool_settle(), never when only the process was killed.
 *
 * One process at a time, and once in it: the directory is locked for others as long as it is open. All calls may wait for the disk, and may come from any one thread
 * at a time. Limits are the caller's.
 */
#ifndef KTALLY_SPOOL_H
#define KTALLY_SPOOL_H

#include "spool/file.h"

struct spool;

struct spool_contents {
	struct spool_label *labels;	/* in the order of their numbers */
	size_t count;
	uint64_t damaged;		/* files that were not whole, and are gone */
	uint64_t next;			/* number for the next batch: greater than all */
};

/*
 * Makes the directory and its parent if they are not there, for their owner only; locks it, and says what is in it. -EWOULDBLOCK: another
 * process has it; -EPERM: others can write to it, or own it; else -errno. Files of other names are left alone.
 */
int spool_open(struct spool **spool, const char *path, struct spool_contents *contents);
void spool_free_contents(struct spool_contents *contents);
void spool_close(struct spool *spool);

int spool_put(struct spool *spool, const struct spool_label *label, const void *data);		/* 0, or -errno: then it is not there */
int spool_get(struct spool *spool, const struct spool_label *label, struct buffer *data);	/* -EBADMSG: damaged, or not what the label says; else -errno */
int spool_remove(struct spool *spool, uint64_t number);		/* one that is not there is removed already */
int spool_settle(struct spool *spool);				/* brings what was removed to the disk, if anything was */

#endif
