// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/message.h"
#include "capture/capture.h"
#include "loop/loop.h"
#include "session/loader.h"
#include "symbols/debug.h"
#include "symbols/file.h"
#include "symbols/roots.h"
#include "unwind/cache.h"

#define SECOND			1000000000ULL
#define STUCK_AFTER		(5 * SECOND)
#define SYMBOLS_BYTES_MOST	(32U << 20)	/* of one file */
#define CONTENT_BYTES_MOST	(64U << 20)	/* of one file, and eight times as much of all */
#define CACHE_BYTES_MOST	(256U << 20)	/* on disk */

/*
 * To read a file takes a while, and the device holds those of processes that are gone for seconds only. So files are opened as soon
 * as they are told of, however many are to be read before them; but not more than these.
 */
#define OPEN_MOST		256

struct job {
	struct loaded loaded;
	int fd;				/* open until it was read; -1 */
	bool done;
	struct job *next;		/* to be done */
};

struct loader {
	struct loader_options options;
	struct unwind_cache cache;
	uint64_t contents_bytes;	/* of files that are kept whole */
	pthread_t thread;
	pthread_mutex_t lock;		/* what follows, but the thread alone touches a job that is not done */
	pthread_cond_t changed;
	struct map jobs;		/* number -> struct job, until it is taken */
	struct job *first, *last;
	struct job *unopened;		/* the first of them that was not opened yet */
	unsigned int open;		/* how many were */
	struct job *current;		/* at which the thread is */
	uint64_t since;			/* when it began */
	bool stopping;
	struct loader_statistics statistics;
};

/* ------------------------------------------------------------------------------------------------ the thread */

static void load_table(struct loader *loader, uint32_t number, const struct unwind_table *table)
{
	struct ktally_load_table argument = {
		.file = number, .first_chunk = table->first_chunk, .chunk_count = table->chunk_count,
		.rows = (uintptr_t)table->rows, .row_count = table->row_count,
		.first_rows = (uintptr_t)table->first_row,
		.rules = (uintptr_t)table->rules, .rule_count = table->rule_count,
	};
	int error = ktally_load_table(loader->options.session, &argument);

	pthread_mutex_lock(&loader->lock);
	if (!error || error == -EEXIST)
		loader->statistics.tables++;
	else
		loader->statistics.tables_failed++;
	loader->statistics.tables_evicted += argument.evicted;
	pthread_mutex_unlock(&loader->lock);
}

static void make_table(struct loader *loader, const struct elf *elf, const struct symbols_file *file, const struct roots *roots)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	struct elf debug;
	bool has_debug = !debug_open(elf, file->path, roots->fds, roots->count, &debug);
	int error = unwind_cache_read(&loader->cache, elf, has_debug ? &debug : NULL, KTALLY_UNWIND_BYTES_MAX, &table,
				      &statistics);

	if (!error) {
		load_table(loader, file->identity.file, &table);
		unwind_table_free(&table);
	} else if (error != -ENOEXEC && error != -ENODATA) {
		pthread_mutex_lock(&loader->lock);
		loader->statistics.tables_failed++;
		pthread_mutex_unlock(&loader->lock);
	}
	if (has_debug) {
		close(debug.source.fd);
		elf_close(&debug);
	}
}

static void read_names(const struct elf_source *source, struct symbols_file *file, const struct roots *roots)
{
	if (file_read(&file->names, source, file->path, roots->fds, roots->count, SYMBOLS_BYTES_MOST))
		file->names = NULL;
}

static void read_program(struct loader *loader, const struct elf_source *source, struct symbols_file *file, const struct roots *roots)
{
	struct elf elf;

	if (elf_open(&elf, source))
		return;
	memcpy(file->build_id, elf.build_id, elf.build_id_bytes);
	file->build_id_bytes = elf.build_id_bytes;
	make_table(loader, &elf, file, roots);
	elf_close(&elf);
	if (loader->options.names)
		read_names(source, file, roots);
}

static void keep_content(struct loader *loader, int fd, size_t bytes, struct loaded *loaded)
{
	size_t done = 0;
	char *content;

	if (bytes > CONTENT_BYTES_MOST || loader->contents_bytes + bytes > 8ULL * CONTENT_BYTES_MOST)
		return;
	content = memory_zeroed(bytes, 1);
	while (done < bytes) {
		ssize_t more = pread(fd, content + done, bytes - done, (off_t)done);

		if (more <= 0)
			break;
		done += (size_t)more;
	}
	if (done < bytes) {
		free(content);
		return;
	}
	if (!capture_pack(content, bytes, &loaded->packed, &loaded->packed_bytes)) {
		loader->contents_bytes += bytes;
		loaded->content_bytes = bytes;
	}
	free(content);
}

static void open_file(struct loader *loader, struct job *job)
{
	struct symbols_file *file = &job->loaded.file;
	char path[KTALLY_PATH_BYTES_MAX] = "";
	uint32_t status = 0;

	job->fd = ktally_open_file(loader->options.session, file->identity.file, path, sizeof(path), &status);
	file->path = memory_string(path);
	file->deleted = status & KTALLY_FILE_DELETED;
	file->error = job->fd < 0 ? job->fd : 0;
}

static void load(struct loader *loader, struct job *job)
{
	struct symbols_file *file = &job->loaded.file;
	struct stat found;

	if (job->fd < 0)
		return;
	if (!fstat(job->fd, &found) && found.st_size > 0) {
		const struct elf_source source = { .fd = job->fd, .bytes = (uint64_t)found.st_size };
		struct roots roots;

		roots_open(&roots, file);
		read_program(loader, &source, file, &roots);
		roots_close(&roots);
		if (loader->options.contents && (file->deleted || !roots.leads_here))
			keep_content(loader, job->fd, (size_t)found.st_size, &job->loaded);
	}
	close(job->fd);
	job->fd = -1;
}

/* By then the module may hold it no more. */
static void load_again(struct loader *loader, struct symbols_file *file)
{
	int fd = ktally_open_file(loader->options.session, file->identity.file, NULL, 0, NULL);
	struct stat found;
	struct roots roots;

	if (fd < 0)
		fd = symbols_open_path(file);
	if (fd < 0)
		return;
	if (!fstat(fd, &found) && found.st_size > 0) {
		const struct elf_source source = { .fd = fd, .bytes = (uint64_t)found.st_size };

		roots_open(&roots, file);
		read_names(&source, file, &roots);
		roots_close(&roots);
	}
	close(fd);
}

/* With the lock held, which others have meanwhile. */
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
			open_file(loader, job);
		pthread_mutex_lock(&loader->lock);
	}
}

static void *work(void *context)
{
	struct loader *loader = context;

	pthread_mutex_lock(&loader->lock);
	while (!loader->stopping) {
		struct job *job;

		open_waiting(loader);
		job = loader->first;
		loader->current = NULL;
		if (!job) {
			pthread_cond_wait(&loader->changed, &loader->lock);
			continue;
		}
		loader->first = job->next;
		if (!loader->first)
			loader->last = NULL;
		loader->current = job;
		loader->since = loop_now();
		pthread_mutex_unlock(&loader->lock);
		if (job->loaded.again)
			load_again(loader, &job->loaded.file);
		else
			load(loader, job);
		pthread_mutex_lock(&loader->lock);
		loader->open--;
		job->done = true;
		loader->current = NULL;
		pthread_cond_broadcast(&loader->changed);
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

	loader->options = *options;
	unwind_cache_open(&loader->cache, CACHE_BYTES_MOST);
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
		unwind_cache_close(&loader->cache);
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

static struct timespec time_of(uint64_t nanoseconds)
{
	return (struct timespec){ .tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND) };
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

		if (job->fd >= 0)
			close(job->fd);
		if (job->loaded.file.names)
			file_free(job->loaded.file.names);
		loaded_free(&job->loaded);
		free(job);
	}
	map_free(&loader->jobs);
	unwind_cache_close(&loader->cache);
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

bool loader_take(struct loader *loader, uint32_t number, struct loaded *loaded)
{
	struct job *job;

	pthread_mutex_lock(&loader->lock);
	job = map_get(&loader->jobs, number);
	if (job && job->done)
		map_remove(&loader->jobs, number);
	else
		job = NULL;
	pthread_mutex_unlock(&loader->lock);
	if (!job)
		return false;
	*loaded = job->loaded;
	free(job);
	return true;
}

bool loader_take_any(struct loader *loader, struct loaded *loaded)
{
	uint32_t number = 0;

	pthread_mutex_lock(&loader->lock);
	for (struct map_slot *slot = map_next(&loader->jobs, NULL); slot && !number; slot = map_next(&loader->jobs, slot))
		if (((const struct job *)slot->value)->done)
			number = (uint32_t)slot->key;
	pthread_mutex_unlock(&loader->lock);
	return number && loader_take(loader, number, loaded);
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
