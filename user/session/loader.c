// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "loop/loop.h"
#include "session/loader.h"
#include "session/workers.h"
#include "symbols/errand.h"
#include "symbols/file.h"

#define SECOND			1000000000ULL
#define HUNG_AFTER		(10 * SECOND)	/* from then on it is said */

/* Downloads that wait, and how many files are kept open for them. */
#define DOWNLOADS_MOST		1024
#define DOWNLOADS_OPEN_MOST	256

/* How long who asks waits for an errand: a part of its time. */
#define PATIENCE		(SECOND / 10)
#define PATIENCE_SHARE		10

static struct timespec time_of(uint64_t nanoseconds)
{
	return (struct timespec){ .tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND) };
}

/* The session as the workers have it is the loader's own: one that is late may come back when everybody else has closed theirs. */
static int open_session(struct ktally_session **session, const struct ktally_session *of)
{
	int fd = fcntl(ktally_fd(of), F_DUPFD_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	error = ktally_open_fd(session, fd);
	if (error)
		close(fd);
	return error;
}

static void release(struct loader *loader)
{
	jobs_free(&loader->to_do);
	ktally_close(loader->reading.session);
	reading_end(&loader->reading);
	pthread_cond_destroy(&loader->changed);
	pthread_mutex_destroy(&loader->lock);
	free(loader);
}

int loader_create(struct loader **result, const struct loader_options *options)
{
	struct loader *loader = memory_zeroed(1, sizeof(*loader));
	pthread_condattr_t attributes;
	int error;

	reading_begin(&loader->reading, options);
	pthread_mutex_init(&loader->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&loader->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	error = open_session(&loader->reading.session, options->session);
	if (!error) {
		pthread_mutex_lock(&loader->lock);
		error = workers_call(loader);
		pthread_mutex_unlock(&loader->lock);
	}
	if (error)
		release(loader);
	else
		*result = loader;
	return error;
}

void loaded_free(struct loaded *loaded)
{
	free((char *)loaded->file.path);
	free(loaded->packed);
}

/* A worker that is late cannot be ended; it keeps what it has, to the end of the process. */
void loader_destroy(struct loader *loader)
{
	if (!loader || !workers_end(loader))
		return;
	for (struct map_slot *slot = map_next(&loader->jobs, NULL); slot; slot = map_next(&loader->jobs, slot)) {
		struct job *job = slot->value;

		if (job->errand) {
			job->errand->undone = true;
			errand_end(job->errand);
		}
		workers_close_file(job);
		if (job->loaded.file.names)
			file_free(job->loaded.file.names);
		loaded_free(&job->loaded);
		free(job);
	}
	map_free(&loader->jobs);
	release(loader);
}

static void submit(struct loader *loader, const struct loaded *what)
{
	struct job *job = memory_zeroed(1, sizeof(*job));

	job->loaded = *what;
	job->fd = -1;
	pthread_mutex_lock(&loader->lock);
	map_put(&loader->jobs, what->file.identity.file, job);
	jobs_add(&loader->to_do, job);
	workers_call(loader);
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

static struct job *submit_errand(struct loader *loader, struct errand *errand)
{
	struct job *job = memory_zeroed(1, sizeof(*job));

	job->errand = errand;
	job->fd = -1;
	job->task = errand->major == ERRAND_PROCESS ? LOOK : ASK;
	job->loaded.file.identity.device_major = errand->major;
	job->loaded.file.identity.device_minor = errand->minor;
	jobs_add(&loader->to_do, job);
	map_put(&loader->jobs, ERRAND_KEY | job->number, job);
	workers_call(loader);
	return job;
}

/* Time that was spent in vain is made up for by not waiting. A job is there as long as its errand is not done. */
static void wait_for_errand(struct loader *loader, const struct errand *errand, const struct job *job)
{
	uint64_t began = loop_now(), now = began;
	struct timespec deadline = time_of(began + PATIENCE);

	if (began < loader->no_patience_before)
		return;
	while (!errand_is_done(errand) && now - began < PATIENCE && !jobs_is_late(&loader->to_do, job, now)) {
		pthread_cond_timedwait(&loader->changed, &loader->lock, &deadline);
		now = loop_now();
	}
	if (!errand_is_done(errand))
		loader->no_patience_before = now + (now - began) * PATIENCE_SHARE;
}

void loader_ask(struct loader *loader, struct errand *errand)
{
	pthread_mutex_lock(&loader->lock);
	if (jobs_have_room(&loader->to_do, errand)) {
		wait_for_errand(loader, errand, submit_errand(loader, errand));
	} else {
		errand->undone = true;
		errand_end(errand);
	}
	pthread_mutex_unlock(&loader->lock);
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
	busy = job && !job->done && !jobs_is_late(&loader->to_do, job, loop_now());
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
	job->task = DOWNLOAD;
	if (loader->to_do.downloads >= DOWNLOADS_OPEN_MOST)
		workers_close_file(job);
	map_put(&loader->jobs, DOWNLOAD_KEY | file->identity.file, job);
	jobs_add(&loader->to_do, job);
	workers_call(loader);
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
	loaded->file.downloading &= !loaded->downloaded && loader->to_do.downloads < DOWNLOADS_MOST;
	if (loaded->file.downloading) {
		begin_download(loader, job);
	} else {
		workers_close_file(job);
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

/* Until when there is something to wait for; 0: nothing. */
static uint64_t wait_until(const struct loader *loader, uint64_t now, uint64_t end)
{
	uint64_t until = 0;

	for (struct map_slot *slot = map_next(&loader->jobs, NULL); slot; slot = map_next(&loader->jobs, slot)) {
		const struct job *job = slot->value;

		if (job->done || job->errand || job->task == DOWNLOAD || jobs_is_late(&loader->to_do, job, now))
			continue;
		if (!until)
			until = end;
		if (job->since && job->since + LATE_AFTER + 1 < until)
			until = job->since + LATE_AFTER + 1;
	}
	return until;
}

void loader_wait(struct loader *loader, unsigned int milliseconds)
{
	uint64_t now = loop_now(), end = now + milliseconds * 1000000ULL, until;

	pthread_mutex_lock(&loader->lock);
	while (now < end && (until = wait_until(loader, now, end))) {
		struct timespec deadline = time_of(until);

		pthread_cond_timedwait(&loader->changed, &loader->lock, &deadline);
		now = loop_now();
	}
	pthread_mutex_unlock(&loader->lock);
}

/* What is said of a job is its device and inode: a path comes with opening it, and no worker's is read here. */
static void look_at(struct loader *loader, struct job *job, uint64_t now)
{
	const struct ktally_file *identity = &job->loaded.file.identity;

	if (job->hung || !job->since || job->task == DOWNLOAD || now - job->since < HUNG_AFTER)
		return;
	job->hung = true;
	loader->hung++;
	if (job->task == LOOK)
		message_warning("the mappings of process %u are being read for %u s: it holds their lock, or its file system does not answer",
				job->errand->pid, (unsigned int)((now - job->since) / SECOND));
	else if (job->errand)
		message_warning("a file that process %u maps, or tells of its code in, is being read for %u s: its file system does not answer, or "
				"not soon", job->errand->pid, (unsigned int)((now - job->since) / SECOND));
	else
		message_warning("inode %llu of device %u:%u is being %s for %u s: its file system does not answer, or not soon; %u of %u threads are "
			"left for other files", (unsigned long long)identity->inode, identity->device_major, identity->device_minor,
			job->task == OPEN ? "opened" : "read", (unsigned int)((now - job->since) / SECOND),
			FILE_WORKERS_MOST - loader->to_do.at_work[OPEN] - loader->to_do.at_work[ASK] - loader->to_do.at_work[READ],
			FILE_WORKERS_MOST);
}

void loader_get_statistics(struct loader *loader, struct loader_statistics *statistics)
{
	uint64_t now = loop_now();

	pthread_mutex_lock(&loader->lock);
	for (struct map_slot *slot = map_next(&loader->jobs, NULL); slot; slot = map_next(&loader->jobs, slot))
		look_at(loader, slot->value, now);
	reading_get_statistics(&loader->reading, statistics);
	statistics->files_hung = loader->hung;
	statistics->files_refused = loader->to_do.refused;
	statistics->refused_user = loader->to_do.refused_user;
	pthread_mutex_unlock(&loader->lock);
}
