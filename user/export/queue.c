// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A batch that leaves the queue with a job that has begun is freed when that one comes back; if it is on disk by then, after another job
 * that removes it there.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/message.h"
#include "export/batch.h"
#include "export/queue.h"

/* How many of the first batches have their data in memory, so that the next is there when one is done. */
#define LOADED_BATCHES 2

struct queue {
	struct worker *worker;
	struct spool *spool;
	enum compression compression;
	uint64_t spool_most, next_number;

	struct batch *first, *last;
	struct batch *unsaved;		/* all before it are on disk */
	bool under_way;			/* the first one */
	size_t jobs;			/* that the worker has */
	uint64_t memory_bytes;		/* of batches that are in memory alone */
	uint64_t disk_bytes;		/* of those on disk and on their way there */
	struct queue_statistics statistics;
};

/* For the worker to end when it has no job left. */
#define GRACE_MS 500

/* In the worker's thread. */
static void settle(void *context)
{
	struct queue *queue = context;

	if (queue->spool)
		spool_settle(queue->spool);	/* at worst, what was sent comes back after a power failure */
}

/* ---- jobs ---- */

static void give(struct queue *queue, struct batch *batch, void (*run)(struct worker_job *job))
{
	batch->busy = true;
	batch->error = 0;
	batch->job.run = run;
	queue->jobs++;
	worker_add(queue->worker, &batch->job);
}

static bool is_at(const struct batch *batch, void (*run)(struct worker_job *job))
{
	return batch->busy && batch->job.run == run;
}

/* After it left the queue, and has no job. */
static void part_with(struct queue *queue, struct batch *batch)
{
	if (batch->stored && !batch->unreadable)
		give(queue, batch, batch_remove);
	else
		batch_free(batch);
}

static void account(struct queue *queue, struct batch *batch, size_t bytes)
{
	queue->memory_bytes += bytes - batch->accounted;
	batch->accounted = bytes;
}

static void unlink_batch(struct queue *queue, struct batch *batch)
{
	if (batch->previous)
		batch->previous->next = batch->next;
	else
		queue->first = batch->next;
	if (batch->next)
		batch->next->previous = batch->previous;
	else
		queue->last = batch->previous;
	if (queue->unsaved == batch)
		queue->unsaved = batch->next;
}

static void leave(struct queue *queue, struct batch *batch)
{
	unlink_batch(queue, batch);
	batch->gone = true;
	account(queue, batch, 0);
	queue->statistics.batches--;
	queue->statistics.bytes -= batch->label.bytes;
	if (batch->stored || is_at(batch, batch_store))
		queue->disk_bytes -= batch_disk_bytes(batch);
	queue->statistics.spool_batches -= batch->stored;
	if (batch->busy && worker_cancel(queue->worker, &batch->job)) {
		batch->busy = false;
		queue->jobs--;
	}
	if (!batch->busy)
		part_with(queue, batch);
}

/* ---- limits ---- */

/* Not before this one is there one that may be dropped or evicted. */
static struct batch *oldest(const struct queue *queue)
{
	return queue->first && queue->under_way ? queue->first->next : queue->first;
}

static struct batch *oldest_in_memory(const struct queue *queue)
{
	struct batch *batch = queue->unsaved == queue->first ? oldest(queue) : queue->unsaved;

	while (batch && !batch->accounted)
		batch = batch->next;
	return batch;
}

static struct batch *oldest_on_disk(const struct queue *queue)
{
	struct batch *batch = oldest(queue);

	while (batch && !batch->stored)
		batch = batch->next;
	return batch;
}

static void keep_memory_limit(struct queue *queue)
{
	struct batch *batch;

	while (queue->memory_bytes > QUEUE_MEMORY_MOST && (batch = oldest_in_memory(queue))) {
		queue->statistics.batches_dropped++;
		queue->statistics.points_dropped += batch->label.points;
		leave(queue, batch);
	}
}

/* Whether there is room for so many bytes more on disk. What is on its way there cannot be evicted, but will be soon. */
static bool keep_spool_limit(struct queue *queue, uint64_t more)
{
	struct batch *batch;

	while (queue->disk_bytes + more > queue->spool_most && (batch = oldest_on_disk(queue))) {
		queue->statistics.batches_evicted++;
		queue->statistics.points_evicted += batch->label.points;
		leave(queue, batch);
	}
	return queue->disk_bytes + more <= queue->spool_most;
}

/* ---- to disk and back ---- */

/* All that is in memory alone; when the disk did not take the last one, only the oldest, to see whether it does again. */
static void store(struct queue *queue)
{
	while (queue->unsaved && queue->unsaved->stored)
		queue->unsaved = queue->unsaved->next;
	for (struct batch *batch = queue->unsaved; queue->spool && batch; batch = batch->next) {
		if (!batch->compressed || batch->stored || batch->busy || batch_disk_bytes(batch) > queue->spool_most)
			continue;
		if (!keep_spool_limit(queue, batch_disk_bytes(batch)))
			break;
		queue->disk_bytes += batch_disk_bytes(batch);
		give(queue, batch, batch_store);
		if (queue->statistics.spool_error)
			break;
	}
}

static bool is_among_first(const struct queue *queue, const struct batch *batch)
{
	const struct batch *other = queue->first;

	for (int i = 0; i < LOADED_BATCHES && other; i++, other = other->next) {
		if (other == batch)
			return true;
	}
	return false;
}

static void load(struct queue *queue)
{
	struct batch *batch = queue->first;

	for (int i = 0; i < LOADED_BATCHES && batch; i++, batch = batch->next) {
		if (batch->stored && !batch->busy && !batch->data.data)
			give(queue, batch, batch_load);
	}
}

static void finish_compress(struct queue *queue, struct batch *batch)
{
	batch->compressed = true;
	account(queue, batch, batch->data.bytes);
	queue->statistics.bytes += batch->data.bytes - batch->label.bytes;
	batch->label.bytes = batch->data.bytes;
	store(queue);
}

static void finish_store(struct queue *queue, struct batch *batch)
{
	queue->statistics.spool_error = batch->error;
	if (batch->error) {
		queue->disk_bytes -= batch_disk_bytes(batch);
		return;
	}
	queue->statistics.spool_batches++;
	account(queue, batch, 0);
	if (!is_among_first(queue, batch))
		buffer_free(&batch->data);
	store(queue);
}

static void lose(struct queue *queue, struct batch *batch)
{
	queue->statistics.damaged++;
	batch->unreadable = batch->error != -EBADMSG;
	leave(queue, batch);
}

static void finish(struct queue *queue, struct batch *batch)
{
	void (*run)(struct worker_job *job) = batch->job.run;

	batch->busy = false;
	queue->jobs--;
	if (run == batch_store && !batch->error) {
		batch->stored = true;
		queue->statistics.spooled++;
	}
	if (run == batch_remove) {
		if (batch->error)
			queue->statistics.spool_error = batch->error;
		batch_free(batch);
	} else if (batch->gone) {
		part_with(queue, batch);
	} else if (run == batch_compress) {
		finish_compress(queue, batch);
	} else if (run == batch_store) {
		finish_store(queue, batch);
	} else if (batch->error) {
		lose(queue, batch);
	}
}

void queue_run(struct queue *queue)
{
	struct worker_job *job;

	while ((job = worker_take(queue->worker)))
		finish(queue, (struct batch *)job);
	load(queue);
}

/* ---- in and out ---- */

static struct batch *append(struct queue *queue, const struct spool_label *label)
{
	struct batch *batch = memory_zeroed(1, sizeof(*batch));

	batch->spool = queue->spool;
	batch->label = *label;
	batch->previous = queue->last;
	if (queue->last)
		queue->last->next = batch;
	else
		queue->first = batch;
	queue->last = batch;
	if (!queue->unsaved)
		queue->unsaved = batch;
	queue->statistics.added++;
	queue->statistics.batches++;
	queue->statistics.bytes += label->bytes;
	return batch;
}

int queue_add(struct queue *queue, const void *data, size_t bytes, uint64_t points)
{
	struct spool_label label = { .points = points, .bytes = bytes, .compression = queue->compression };
	struct batch *batch;

	if (!bytes)
		return 0;
	if (bytes > QUEUE_MEMORY_MOST) {
		queue->statistics.added++;
		queue->statistics.batches_dropped++;
		queue->statistics.points_dropped += points;
		return -EMSGSIZE;
	}
	label.number = queue->next_number++;
	batch = append(queue, &label);
	buffer_append(&batch->data, data, bytes);
	account(queue, batch, bytes);
	if (queue->compression) {
		give(queue, batch, batch_compress);
	} else {
		batch->compressed = true;
		store(queue);
	}
	keep_memory_limit(queue);
	return 0;
}

bool queue_is_ready(const struct queue *queue)
{
	const struct batch *batch = queue->first;

	return batch && !queue->under_way && batch->compressed && !is_at(batch, batch_load) && batch->data.data;
}

bool queue_take(struct queue *queue, struct queue_batch *taken)
{
	struct batch *batch = queue->first;

	if (!queue_is_ready(queue))
		return false;
	queue->under_way = true;
	*taken = (struct queue_batch){
		.data = batch->data.data, .bytes = batch->data.bytes, .points = batch->label.points,
		.compression = batch->label.compression,
	};
	return true;
}

void queue_put_back(struct queue *queue)
{
	queue->under_way = false;
	keep_memory_limit(queue);
}

void queue_remove(struct queue *queue)
{
	queue->under_way = false;
	leave(queue, queue->first);
	load(queue);
}

int queue_fd(const struct queue *queue)
{
	return worker_fd(queue->worker);
}

bool queue_is_empty(const struct queue *queue)
{
	return !queue->first;
}

bool queue_is_safe(const struct queue *queue)
{
	return queue->statistics.spool_batches == queue->statistics.batches;
}

void queue_get_statistics(const struct queue *queue, struct queue_statistics *statistics)
{
	*statistics = queue->statistics;
	statistics->spool_bytes = queue->disk_bytes;
}

/* ---- making and unmaking ---- */

/* The batches that were left by the run before. */
static void adopt(struct queue *queue, const struct spool_contents *contents)
{
	queue->next_number = contents->next;
	queue->statistics.damaged = contents->damaged;
	for (size_t i = 0; i < contents->count; i++) {
		const struct spool_label *label = &contents->labels[i];
		struct batch *batch;

		if (label->compression >= COMPRESSIONS) {	/* of another version */
			queue->statistics.damaged++;
			spool_remove(queue->spool, label->number);
			continue;
		}
		batch = append(queue, label);
		batch->compressed = batch->stored = true;
		queue->disk_bytes += batch_disk_bytes(batch);
		queue->statistics.spool_batches++;
		queue->statistics.found++;
	}
	keep_spool_limit(queue, 0);
	load(queue);
}

static int open_spool(struct queue *queue, const char *path)
{
	struct spool_contents contents;
	int error = spool_open(&queue->spool, path, &contents);

	switch (-error) {
	case 0:
		adopt(queue, &contents);
		spool_free_contents(&contents);
		return 0;
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EIO:
		message_warning("the spool %s cannot be used: %s: what waits to be sent is kept in memory alone", path, strerror(-error));
		queue->statistics.spool_error = error;
		return 0;
	case EWOULDBLOCK:
		message_error("the spool %s is in use by another process: give each its own", path);
		return error;
	case EPERM:
		message_error("the spool %s is not used, as others could put into it what is then sent: give it to this user alone (chmod 700)", path);
		return error;
	default:
		message_error("the spool %s cannot be used: %s", path, strerror(-error));
		return error;
	}
}

int queue_create(struct queue **result, const struct queue_options *options)
{
	struct queue *queue = memory_zeroed(1, sizeof(*queue));
	int error;

	queue->compression = options->compression;
	queue->spool_most = options->spool_bytes ? options->spool_bytes : QUEUE_SPOOL_DEFAULT;
	queue->next_number = 1;
	error = worker_create(&queue->worker, settle, queue);
	if (error)
		message_error("cannot start a thread to compress in: %s", strerror(-error));
	else if (options->spool)
		error = open_spool(queue, options->spool);
	if (error) {
		queue_destroy(queue, 0);
		return error;
	}
	*result = queue;
	return 0;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Until there are no jobs left. */
static void await_jobs(struct queue *queue, uint64_t until)
{
	struct worker_job *job;
	uint64_t time = now();

	while (queue->jobs && time < until) {
		struct pollfd pollfd = { .fd = worker_fd(queue->worker), .events = POLLIN };

		poll(&pollfd, 1, (int)(until - time));
		while ((job = worker_take(queue->worker)))
			finish(queue, (struct batch *)job);
		time = now();
	}
}

void queue_destroy(struct queue *queue, uint64_t milliseconds)
{
	uint64_t until = now() + milliseconds, time;

	if (!queue)
		return;
	if (queue->worker) {
		await_jobs(queue, until);
		time = now();
		if (!worker_destroy(queue->worker, GRACE_MS + (time < until ? until - time : 0))) {
			message_warning("the disk of the spool does not answer: what was on its way to it is lost");
			return;
		}
	}
	while (queue->first) {
		struct batch *batch = queue->first;

		queue->first = batch->next;
		batch_free(batch);
	}
	spool_close(queue->spool);
	free(queue);
}
