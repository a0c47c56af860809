/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits to be sent, in order: compressed, and on disk when there is a spool. What is slow in that is done by a worker (spool/worker.h),
 * so that no call here waits for a disk.
 *
 * With a spool, every batch is written to it as soon as it is compressed, at the same time as it is sent, so that what was submitted
 * survives the end of the process however that comes; its memory is given back, except that of the first ones. When the spool's limit is
 * reached, the oldest batches are evicted from it. As long as it cannot be written, a full disk say, batches stay in memory, and with the next
 * one it is tried again. What is in memory alone has a limit of its own, QUEUE_MEMORY_MOST, past which the oldest are dropped; without a
 * spool that is all there is. The batch that is under way is never evicted nor dropped.
 */
#ifndef KTALLY_QUEUE_H
#define KTALLY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "export/compress.h"

/* A host makes about 20 KiB of metrics in 30 seconds. */
#define QUEUE_MEMORY_MOST	(8U << 20)
#define QUEUE_SPOOL_LEAST	(1U << 20)
#define QUEUE_SPOOL_DEFAULT	(256ULL << 20)

struct queue;

struct queue_options {
	enum compression compression;
	const char *spool;		/* directory, NULL: none */
	uint64_t spool_bytes;		/* most of it on disk, as blocks of files count; 0: QUEUE_SPOOL_DEFAULT */
};

struct queue_batch {
	const char *data;
	size_t bytes;
	uint64_t points;
	enum compression compression;	/* of the data: one from the spool may have another than the options say */
};

struct queue_statistics {
	uint64_t batches, bytes;			/* that wait now, wherever they are; bytes as they are: not yet compressed ones are larger */
	uint64_t spool_batches, spool_bytes;		/* of them on disk now */
	uint64_t added;					/* batches, in all, with those found */
	uint64_t found;					/* in the spool at the start */
	uint64_t spooled;				/* written to the spool, in all */
	uint64_t batches_evicted, points_evicted;	/* to keep the spool's limit */
	uint64_t batches_dropped, points_dropped;	/* to keep that of memory, or never fitting */
	uint64_t damaged;				/* batches in the spool that could not be read back */
	int spool_error;				/* -errno: why the spool cannot be written now; 0: it can, or there is none */
};

/*
 * 0, or -errno with a message: the spool is in use by another process, or there cannot be one. If that is for a disk that is full or
 * read-only, it is 0, with a warning, and without a spool.
 */
int queue_create(struct queue **queue, const struct queue_options *options);

/* What is not on disk is lost. Waits at most so many milliseconds for a disk that is slow to take what is on its way to it. */
void queue_destroy(struct queue *queue, uint64_t milliseconds);

int queue_add(struct queue *queue, const void *data, size_t bytes, uint64_t points);	/* a copy; -EMSGSIZE: it can never fit, and is dropped */

int queue_fd(const struct queue *queue);	/* readable: queue_run() has something to do */
void queue_run(struct queue *queue);

bool queue_is_ready(const struct queue *queue);	/* there is a first batch that can be sent */

/* The first batch; it is under way until it is put back or removed. false: there is none, or none that can be sent yet. */
bool queue_take(struct queue *queue, struct queue_batch *batch);
void queue_put_back(struct queue *queue);
void queue_remove(struct queue *queue);

bool queue_is_empty(const struct queue *queue);
bool queue_is_safe(const struct queue *queue);	/* all that waits is on disk, and survives */
void queue_get_statistics(const struct queue *queue, struct queue_statistics *statistics);

#endif
