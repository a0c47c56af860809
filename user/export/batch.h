/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch in a queue, and what the queue's worker does with one. */
#ifndef KTALLY_BATCH_H
#define KTALLY_BATCH_H

#include <stdbool.h>

#include "base/buffer.h"
#include "spool/spool.h"
#include "spool/worker.h"

/*
 * It has at most one job with the worker at a time, which is part of it. As long as it has one, data and error are the worker's to make,
 * and to be read at most; all else is the queue's.
 */
struct batch {
	struct worker_job job;
	struct batch *next, *previous;
	struct spool *spool;
	struct spool_label label;
	struct buffer data;		/* empty: on disk alone */
	size_t accounted;		/* how much of it the queue counts as memory */
	bool busy;			/* it has a job */
	bool compressed, stored;
	bool gone;			/* no longer in the queue */
	bool unreadable;		/* for now: what is on disk stays there, for the next run */
	int error;			/* of the job */
};

void batch_free(struct batch *batch);

/* What it takes on disk: whole blocks, as file systems have them. */
uint64_t batch_disk_bytes(const struct batch *batch);

/* In the worker's thread. */
void batch_compress(struct worker_job *job);
void batch_store(struct worker_job *job);
void batch_load(struct worker_job *job);
void batch_remove(struct worker_job *job);

#endif
