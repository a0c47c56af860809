// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "loop/loop.h"
#include "session/workers.h"
#include "symbols/download.h"
#include "symbols/errand.h"
#include "symbols/mounts.h"

#define SECOND			1000000000ULL
#define DOWNLOAD_RETRY		(60 * SECOND)	/* when no server answers */

static struct timespec time_of(uint64_t nanoseconds)
{
	return (struct timespec){ .tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND) };
}

void workers_close_file(struct job *job)
{
	if (job->fd >= 0)
		close(job->fd);
	job->fd = -1;
}

/* ---- what is done with a file; without the lock ---- */

static void open_file(const struct loader *loader, struct job *job, uint32_t *owner)
{
	struct stat status;

	if (!job->loaded.again)
		job->fd = reading_open(&loader->reading, &job->loaded.file);
	*owner = job->fd >= 0 && !fstat(job->fd, &status) ? status.st_uid : 0;
}

static void read_again(const struct loader *loader, struct job *job)
{
	if (job->fd < 0)
		job->fd = reading_open_again(&loader->reading, &job->loaded.file);
	if (job->fd >= 0)
		reading_read_names(job->fd, &job->loaded.file);
	workers_close_file(job);
}

/* One that is to be downloaded for stays open: if it has no path here, that is the last chance to read it. */
static void read_file(struct loader *loader, struct job *job)
{
	if (job->loaded.again) {
		read_again(loader, job);
		return;
	}
	if (job->parked)
		job->fd = reading_open_again(&loader->reading, &job->loaded.file);
	if (job->fd >= 0)
		reading_read(&loader->reading, job->fd, &job->loaded);
	if (!job->loaded.file.downloading)
		workers_close_file(job);
}

static bool while_downloading(void *context)
{
	struct loader *loader = context;
	bool stopping;

	pthread_mutex_lock(&loader->lock);
	stopping = loader->stopping;
	pthread_mutex_unlock(&loader->lock);
	return stopping;
}

/* It goes by the cache, where debug.c finds it. False: no server answers. */
static bool download(struct loader *loader, struct job *job)
{
	const struct symbols_file *file = &job->loaded.file;
	int fd = download_debug_file(file->build_id, file->build_id_bytes, while_downloading, loader);

	if (fd >= 0) {
		close(fd);
		read_again(loader, job);
	} else if (fd != -EAGAIN) {
		workers_close_file(job);
	}
	return fd != -EAGAIN;
}

static void *work(void *context);

/* ---- the threads; with the lock, which others have meanwhile ---- */

/* One that was just started counts as idle: it will look for work. */
static int start(struct loader *loader)
{
	sigset_t all, before;
	int error;

	/* Signals are for the others. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&loader->threads[loader->workers], NULL, work, loader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error) {
		loader->workers++;
		loader->running++;
		loader->idle++;
	}
	return error;
}

int workers_call(struct loader *loader)
{
	int error = 0;

	if (!loader->idle && loader->workers < WORKERS_MOST &&
	    (!loader->workers || jobs_unknown(&loader->to_do) || jobs_next(&loader->to_do, loop_now())))
		error = start(loader);
	pthread_cond_broadcast(&loader->changed);
	return loader->workers ? 0 : error;
}

static void end_errand(struct loader *loader, struct job *job)
{
	map_remove(&loader->jobs, ERRAND_KEY | job->number);
	errand_end(job->errand);
	free(job);
	pthread_cond_broadcast(&loader->changed);
}

/* With the lock, which others have while a file is closed. False: it is done with. */
static bool take_open_file(struct loader *loader, struct job *job, uint32_t owner)
{
	bool goes_on = jobs_opened(&loader->to_do, job, owner);

	if (job->fd >= 0 && (!goes_on || job->parked)) {
		pthread_mutex_unlock(&loader->lock);
		workers_close_file(job);
		pthread_mutex_lock(&loader->lock);
		if (!goes_on)
			job->loaded.file.error = -EAGAIN;
	}
	return goes_on;
}

/* Done, or what comes next. Whoever goes to work calls another for what is left, as it may never come back. */
static void do_job(struct loader *loader, struct job *job)
{
	enum task task = job->task;
	bool done = true, refused = false;
	uint32_t owner = 0;

	if (jobs_unknown(&loader->to_do) || jobs_next(&loader->to_do, loop_now()))
		workers_call(loader);
	pthread_mutex_unlock(&loader->lock);
	if (task == OPEN)
		open_file(loader, job, &owner);
	else if (task == ASK || task == LOOK)
		job->errand->run(job->errand);
	else if (task == READ)
		read_file(loader, job);
	else
		done = download(loader, job);
	pthread_mutex_lock(&loader->lock);
	if (task == OPEN && !job->loaded.again)
		refused = !take_open_file(loader, job, owner);
	jobs_end(&loader->to_do, job, loop_now());
	if (job->errand) {
		end_errand(loader, job);
		return;
	}
	if (!done)
		loader->to_do.no_download_before = loop_now() + DOWNLOAD_RETRY;
	if (task == OPEN)
		job->task = READ;
	job->done = done && (task != OPEN || refused);
	if (!job->done)
		jobs_add(&loader->to_do, job);
	pthread_cond_broadcast(&loader->changed);
}

/* Nobody is asked but the kernel. What came meanwhile on the same file system is not begun by anybody, or as on a foreign one. */
static void look_at_file_system(struct loader *loader, struct file_system *on)
{
	uint64_t device = on->device;
	bool own;

	on->known = true;
	pthread_mutex_unlock(&loader->lock);
	own = mounts_device_is_own((uint32_t)(device >> 32), (uint32_t)device);
	pthread_mutex_lock(&loader->lock);
	on = map_get(&loader->to_do.file_systems, device);
	if (on && own && !on->own) {
		on->own = true;
		loader->to_do.foreign -= jobs_workers_at(on);
	}
	pthread_cond_broadcast(&loader->changed);
}

static void wait_for_work(struct loader *loader)
{
	struct timespec deadline = time_of(loader->to_do.no_download_before);

	loader->idle++;
	if (loader->to_do.downloads && loop_now() < loader->to_do.no_download_before)
		pthread_cond_timedwait(&loader->changed, &loader->lock, &deadline);
	else
		pthread_cond_wait(&loader->changed, &loader->lock);
	loader->idle--;
}

static void *work(void *context)
{
	struct loader *loader = context;

	pthread_mutex_lock(&loader->lock);
	loader->idle--;
	while (!loader->stopping) {
		struct file_system *unknown = jobs_unknown(&loader->to_do);
		struct job *job;

		if (unknown)
			look_at_file_system(loader, unknown);
		else if ((job = jobs_begin(&loader->to_do, loop_now())))
			do_job(loader, job);
		else
			wait_for_work(loader);
	}
	loader->running--;
	pthread_cond_broadcast(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
	return NULL;
}

bool workers_end(struct loader *loader)
{
	struct timespec deadline = time_of(loop_now() + LATE_AFTER);
	bool all;

	pthread_mutex_lock(&loader->lock);
	loader->stopping = true;
	pthread_cond_broadcast(&loader->changed);
	while (loader->running && !pthread_cond_timedwait(&loader->changed, &loader->lock, &deadline))
		;
	all = !loader->running;
	pthread_mutex_unlock(&loader->lock);
	for (unsigned int i = 0; i < loader->workers; i++) {
		if (all)
			pthread_join(loader->threads[i], NULL);
		else if (pthread_tryjoin_np(loader->threads[i], NULL))
			pthread_detach(loader->threads[i]);
	}
	return all;
}
