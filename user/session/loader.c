// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/message.h"
#include "loop/loop.h"
#include "session/loader.h"
#include "session/reading.h"
#include "symbols/download.h"
#include "symbols/file.h"

#define SECOND			1000000000ULL
#define STUCK_AFTER		(5 * SECOND)

/*
 * To read a file takes a while, and the device holds those of processes that are gone for seconds only. So files are opened as soon
 * as they are told of, however many are to be read before them; but not more than these.
 */
#define OPEN_MOST		256

/* Downloads that wait; and how long when no server answers. */
#define DOWNLOADS_MOST		1024
#define DOWNLOAD_RETRY		(60 * SECOND)
#define DOWNLOAD_KEY		(1ULL << 32)

struct job {
	struct loaded loaded;
	int fd;				/* open until it was read, and its debug file came; -1 */
	bool done;
	struct job *next;		/* to be done */
};

struct loader {
	struct reading reading;		/* the thread's */
	pthread_t thread;
	pthread_mutex_t lock;		/* what follows, but the thread alone touches a job that is not done */
	pthread_cond_t changed;
	struct map jobs;		/* number, with DOWNLOAD_KEY for a download -> struct job, until it is taken */
	struct job *first, *last;
	struct job *unopened;		/* the first of them that was not opened yet */
	unsigned int open;		/* how many were */
	struct job *first_download, *last_download;
	unsigned int downloads;		/* that wait */
	struct job *current;		/* at which the thread is */
	uint64_t since;			/* when it began */
	bool stopping;
	struct loader_statistics statistics;
};

/* ------------------------------------------------------------------------------------------------ the thread */

static struct timespec time_of(uint64_t nanoseconds)
{
	return (struct timespec){ .tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND) };
}

static void close_file(struct job *job)
{
	if (job->fd >= 0)
		close(job->fd);
	job->fd = -1;
}

/* One that is to be downloaded for stays open: if it has no path here, that is the last chance to read it. */
static void read_file(struct loader *loader, struct job *job)
{
	if (job->fd >= 0)
		reading_read(&loader->reading, job->fd, &job->loaded);
	if (!job->loaded.file.downloading)
		close_file(job);
}

static void read_again(struct loader *loader, struct job *job)
{
	if (job->fd < 0)
		job->fd = reading_open_again(&loader->reading, &job->loaded.file);
	if (job->fd >= 0)
		reading_read_names(job->fd, &job->loaded.file);
	close_file(job);
}

static void finish(struct loader *loader, struct job *job)
{
	loader->statistics = loader->reading.statistics;
	job->done = true;
	loader->current = NULL;
	pthread_cond_broadcast(&loader->changed);
}

/* With the lock held, which others have meanwhile. So do all that follow. */
static void open_waiting(struct loader *loader)
{
	struct job *job;

	while (!loader->stopping && (job = loader->unopened) && loader->open < OPEN_MOST) {
		loader->unopened = job->next;
		loader->open++;
		loader->current = job;
		loader->since = loop_now();
		pthread_mutex_unlock(&loader->lock);
		if (!job->loaded.again)
			job->fd = reading_open(&loader->reading, &job->loaded.file);
		pthread_mutex_lock(&loader->lock);
	}
	loader->current = NULL;
}

static void read_waiting(struct loader *loader)
{
	struct job *job;

	for (open_waiting(loader); !loader->stopping && (job = loader->first); open_waiting(loader)) {
		loader->first = job->next;
		if (!loader->first)
			loader->last = NULL;
		loader->current = job;
		loader->since = loop_now();
		pthread_mutex_unlock(&loader->lock);
		if (job->loaded.again)
			read_again(loader, job);
		else
			read_file(loader, job);
		pthread_mutex_lock(&loader->lock);
		loader->open--;
		finish(loader, job);
	}
}

static bool while_downloading(void *context)
{
	struct loader *loader = context;
	bool stopping;

	pthread_mutex_lock(&loader->lock);
	read_waiting(loader);
	stopping = loader->stopping;
	pthread_mutex_unlock(&loader->lock);
	return stopping;
}

/* It goes by the cache, where debug.c finds it. False: no server answers. */
static bool download(struct loader *loader, struct job *job)
{
	const struct symbols_file *file = &job->loaded.file;
	int fd;

	pthread_mutex_unlock(&loader->lock);
	fd = download_debug_file(file->build_id, file->build_id_bytes, while_downloading, loader);
	if (fd >= 0) {
		close(fd);
		read_again(loader, job);
	} else if (fd != -EAGAIN) {
		close_file(job);
	}
	pthread_mutex_lock(&loader->lock);
	if (fd == -EAGAIN)
		return false;
	loader->first_download = job->next;
	if (!loader->first_download)
		loader->last_download = NULL;
	loader->downloads--;
	finish(loader, job);
	return true;
}

static void *work(void *context)
{
	struct loader *loader = context;
	uint64_t retry = 0;

	pthread_mutex_lock(&loader->lock);
	while (read_waiting(loader), !loader->stopping) {
		struct timespec deadline = time_of(retry);

		if (!loader->first_download)
			pthread_cond_wait(&loader->changed, &loader->lock);
		else if (loop_now() < retry)
			pthread_cond_timedwait(&loader->changed, &loader->lock, &deadline);
		else if (!download(loader, loader->first_download))
			retry = loop_now() + DOWNLOAD_RETRY;
	}
	pthread_mutex_unlock(&loader->lock);
	return NULL;
}

/* ------------------------------------------------------------------------------------------------ everyone else */

int loader_create(struct loader **result, const struct loader_options *options)
{
	struct loader *loader = memory_zeroed(1, sizeof(*loader));
	pthread_condattr_t attributes;
	sigset_t all, before;
	int error;

	reading_begin(&loader->reading, options);
	pthread_mutex_init(&loader->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&loader->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Signals are for the others. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&loader->thread, NULL, work, loader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		reading_end(&loader->reading);
		free(loader);
		return error;
	}
	*result = loader;
	return 0;
}

void loaded_free(struct loaded *loaded)
{
	free((char *)loaded->file.path);
	free(loaded->packed);
}

/* A thread that is stuck cannot be ended; then it keeps what it has, to the end of the process. */
void loader_destroy(struct loader *loader)
{
	struct timespec deadline;

	if (!loader)
		return;
	pthread_mutex_lock(&loader->lock);
	loader->stopping = true;
	pthread_cond_broadcast(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
	deadline = time_of(loop_now() + STUCK_AFTER);
	if (pthread_clockjoin_np(loader->thread, NULL, CLOCK_MONOTONIC, &deadline))
		return;
	for (struct map_slot *slot = map_next(&loader->jobs, NULL); slot; slot = map_next(&loader->jobs, slot)) {
		struct job *job = slot->value;

		close_file(job);
		if (job->loaded.file.names)
			file_free(job->loaded.file.names);
		loaded_free(&job->loaded);
		free(job);
	}
	map_free(&loader->jobs);
	reading_end(&loader->reading);
	pthread_cond_destroy(&loader->changed);
	pthread_mutex_destroy(&loader->lock);
	free(loader);
}

static void submit(struct loader *loader, const struct loaded *what)
{
	struct job *job = memory_zeroed(1, sizeof(*job));

	job->loaded = *what;
	job->fd = -1;
	pthread_mutex_lock(&loader->lock);
	map_put(&loader->jobs, what->file.identity.file, job);
	if (loader->last)
		loader->last->next = job;
	else
		loader->first = job;
	loader->last = job;
	if (!loader->unopened)
		loader->unopened = job;
	pthread_cond_broadcast(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
}

void loader_submit(struct loader *loader, const struct ktally_file *identity)
{
	submit(loader, &(struct loaded){ .file = { .identity = *identity, .fd = -1 } });
}

void loader_submit_again(struct loader *loader, const struct symbols_file *file)
{
	struct loaded what = { .file = *file, .again = true };

	what.file.path = memory_string(file->path);
	what.file.names = NULL;
	submit(loader, &what);
}

bool loader_has(struct loader *loader, uint32_t number)
{
	bool has;

	pthread_mutex_lock(&loader->lock);
	has = map_get(&loader->jobs, number);
	pthread_mutex_unlock(&loader->lock);
	return has;
}

bool loader_is_busy_with(struct loader *loader, uint32_t number)
{
	const struct job *job;
	bool busy;

	pthread_mutex_lock(&loader->lock);
	job = map_get(&loader->jobs, number);
	busy = job && !job->done;
	pthread_mutex_unlock(&loader->lock);
	return busy;
}

/* What was found out goes to whoever takes it; the rest of the job is to be done yet. With the lock held. */
static void begin_download(struct loader *loader, struct job *job)
{
	struct symbols_file *file = &job->loaded.file;

	job->loaded = (struct loaded){ .file = *file, .downloaded = true };
	file->path = memory_string(file->path);
	file->names = NULL;
	job->done = false;
	job->next = NULL;
	if (loader->downloads >= OPEN_MOST)
		close_file(job);
	map_put(&loader->jobs, DOWNLOAD_KEY | file->identity.file, job);
	if (loader->last_download)
		loader->last_download->next = job;
	else
		loader->first_download = job;
	loader->last_download = job;
	loader->downloads++;
	pthread_cond_broadcast(&loader->changed);
}

static bool take(struct loader *loader, uint64_t key, struct loaded *loaded)
{
	struct job *job;

	pthread_mutex_lock(&loader->lock);
	job = map_get(&loader->jobs, key);
	if (!job || !job->done) {
		pthread_mutex_unlock(&loader->lock);
		return false;
	}
	map_remove(&loader->jobs, key);
	*loaded = job->loaded;
	loaded->file.downloading &= !loaded->downloaded && loader->downloads < DOWNLOADS_MOST;
	if (loaded->file.downloading) {
		begin_download(loader, job);
	} else {
		close_file(job);
		free(job);
	}
	pthread_mutex_unlock(&loader->lock);
	return true;
}

bool loader_take(struct loader *loader, uint32_t number, struct loaded *loaded)
{
	return take(loader, number, loaded);
}

bool loader_take_any(struct loader *loader, struct loaded *loaded)
{
	uint64_t key = 0;

	pthread_mutex_lock(&loader->lock);
	for (struct map_slot *slot = map_next(&loader->jobs, NULL); slot && !key; slot = map_next(&loader->jobs, slot))
		if (((const struct job *)slot->value)->done)
			key = slot->key;
	pthread_mutex_unlock(&loader->lock);
	return key && take(loader, key, loaded);
}

static bool is_stuck(const struct loader *loader)
{
	return loader->current && loop_now() - loader->since > STUCK_AFTER;
}

bool loader_is_stuck(struct loader *loader)
{
	bool stuck;

	pthread_mutex_lock(&loader->lock);
	stuck = is_stuck(loader);
	pthread_mutex_unlock(&loader->lock);
	return stuck;
}

void loader_wait(struct loader *loader, unsigned int milliseconds)
{
	uint64_t end = loop_now() + milliseconds * 1000000ULL;

	pthread_mutex_lock(&loader->lock);
	while ((loader->first || loader->current) && !is_stuck(loader) && loop_now() < end) {
		uint64_t until = loader->current ? loader->since + STUCK_AFTER + 1 : end;
		struct timespec deadline = time_of(until < end ? until : end);

		pthread_cond_timedwait(&loader->changed, &loader->lock, &deadline);
	}
	pthread_mutex_unlock(&loader->lock);
}

void loader_get_statistics(struct loader *loader, struct loader_statistics *statistics)
{
	pthread_mutex_lock(&loader->lock);
	*statistics = loader->statistics;
	pthread_mutex_unlock(&loader->lock);
}
