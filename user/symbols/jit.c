// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process chooses what these files say: the harm that it can do is that its own code has wrong names. It must not
 * speak for others, so its map is looked for below its own root, by its number in its own process namespace, and counts
 * only if root or the process's user owns it, as with perf.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "symbols/jit.h"
#include "symbols/proc.h"
#include "symbols/state.h"

#define SECOND			1000000000ULL
#define UNKNOWN_INTERVAL	(SECOND / 10)	/* a new address: the file may have grown */
#define KNOWN_INTERVAL		SECOND		/* it may be another function by now */
#define RETRY_MOST		(64 * SECOND)
#define READ_SHARE		50		/* reading takes at most one part in so many of a CPU */
#define STATUS_BYTES_MOST	16384
#define LINE_BYTES_MOST		65536		/* less may be one that is being written */
#define CEILING_SHARE		4		/* one process has at most one part in so many of the cache */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

size_t jit_bytes(const struct jit *jit)
{
	return sizeof(*jit) + codes_bytes(&jit->codes) + jit->loads.capacity * sizeof(*jit->loads.slots);
}

void jit_free(struct jit *jit)
{
	if (!jit)
		return;
	codes_free(&jit->codes);
	map_free(&jit->loads);
	free(jit);
}

/* ------------------------------------------------------------------------------------------------ which file */

/* What tells a process from another one that has its number later. */
struct process {
	uint32_t pid;
	uint64_t started;		/* in the kernel's ticks; 0: not known */
	const char *executable;		/* NULL: not known */
	uint64_t start, end;		/* of a mapping of a file; 0: it has none */
};

/* That takes the lock of its mappings, which it may hold as long as it likes. */
static bool has_mapping(const struct process *process)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%lx-%lx", process->pid, (unsigned long)process->start,
		 (unsigned long)process->end);
	return process->end && !lstat(path, &status);
}

static uint64_t start_time(uint32_t pid)
{
	char comm[64];
	uint64_t ticks;

	return proc_read_thread(pid, pid, &ticks, comm, sizeof(comm)) ? 0 : ticks;
}

/* Numbers are used again: where it is not known when it began, the process is the one we know if it has a file where we know it to be. */
static bool is_same_process(const struct process *process)
{
	if (!process->pid)
		return false;
	if (!process->started)
		return has_mapping(process);
	return start_time(process->pid) == process->started && proc_runs(process->pid, process->executable);
}

void jit_move(struct mappings *from, struct mappings *to)
{
	for (unsigned int sort = 0; sort < sizeof(to->jit) / sizeof(to->jit[0]); sort++) {
		to->jit[sort] = (struct jit_source){
			.key = from->jit[sort].key, .theirs = from->jit[sort].theirs, .reading = from->jit[sort].reading,
		};
		from->jit[sort].reading = NULL;
	}
}

struct identity {
	uint32_t pid;			/* in its own namespace */
	uint32_t users[4];		/* real, effective, saved, that of files */
};

static bool read_identity(uint32_t pid, struct identity *identity)
{
	struct buffer text = { 0 };
	char path[64], *line;
	unsigned int *users = identity->users;
	bool read = false;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	identity->pid = pid;
	if (!buffer_read_file(&text, path, STATUS_BYTES_MOST) && text.data) {
		line = strstr(text.data, "\nUid:");
		read = line && sscanf(line + 5, "%u %u %u %u", &users[0], &users[1], &users[2], &users[3]) == 4;
		line = strstr(text.data, "\nNSpid:");
		line = line ? line + strlen("\nNSpid:") : text.data + text.bytes;
		while (*line == '\t')	/* the last one is the innermost namespace's */
			identity->pid = (uint32_t)strtoul(line + 1, &line, 10);
	}
	buffer_free(&text);
	return read;
}

static bool may_speak(const struct identity *identity, uint32_t owner)
{
	bool may = !owner;

	for (unsigned int i = 0; i < 4; i++)
		may |= identity->users[i] == owner;
	return may;
}

static int open_perf_map(const struct process *process, bool theirs, struct stat *status)
{
	uint32_t user = geteuid();
	struct identity identity = { process->pid, { user, user, user, user } };
	bool lives = is_same_process(process) && read_identity(process->pid, &identity);
	char path[64];
	int root, fd;

	if (!theirs && lives && !proc_has_our_paths(process->pid))
		return -EXDEV;
	root = proc_open_root(lives && theirs ? process->pid : 0);
	if (root < 0)
		return root;
	snprintf(path, sizeof(path), "/tmp/perf-%u.map", identity.pid);
	fd = theirs ? proc_open_in_root(root, path) : proc_open_chosen(root, path, 0);
	close(root);
	if (fd >= 0 && (fstat(fd, status) || !may_speak(&identity, status->st_uid))) {
		close(fd);
		fd = -EACCES;
	}
	return fd;
}

/* "/home/me/jit-1234.dump" */
static bool is_jitdump(const struct object *object)
{
	const char *name = object_is_file(object) ? strrchr(object->path, '/') + 1 : "";
	const char *end = object->path + object->name_bytes;

	if (strncmp(name, "jit-", 4))
		return false;
	name += 4;
	name += strspn(name, "0123456789");
	return end - name == 5 && !strncmp(name, ".dump", 5);
}

static void find_jitdump(struct mappings *mappings)
{
	for (size_t i = 0; i < mappings->count && !mappings->jitdump; i++)
		if (mappings->list[i].object && is_jitdump(mappings->list[i].object))
			mappings->jitdump = &mappings->list[i];
	mappings->jitdump_known = true;
}

/* ------------------------------------------------------------------------------------------------ reading */

enum sort { JITDUMP, PERF_MAP };

/*
 * By this the file is found in the cache, also when the process's mappings have changed meanwhile. A program that takes
 * the process over by exec() has another address space, and what was said before does not hold for it.
 */
static uint64_t key_of(enum sort sort, uint64_t mm_id, const struct stat *status)
{
	return hash_words(hash_words(status->st_dev, status->st_ino), hash_words(mm_id, sort + 1U));
}

struct jit_reading {
	struct errand errand;
	enum sort sort;
	bool theirs;			/* as the process sees it */
	uint64_t mm_id;
	struct process process;
	struct proc_mapped mapped;	/* the jitdump file; */
	char *path, *executable;	/* of these */
	size_t most_bytes, piece;	/* for a new file */
	uint32_t user;
	struct file *file;		/* what was read before, and then now; NULL: nothing */
	uint64_t key;			/* of that */
	int error;			/* -errno of opening it */
	bool unread;
	uint64_t took;
};

static void discard(struct errand *errand)
{
	struct jit_reading *reading = (struct jit_reading *)errand;

	if (reading->file)
		file_free(reading->file);
	free(reading->path);
	free(reading->executable);
	free(reading);
}

static struct file *new_file(const struct jit_reading *reading)
{
	struct file *file = memory_zeroed(1, sizeof(*file));

	file->jit = memory_zeroed(1, sizeof(*file->jit));
	file->jit->codes.most_bytes = reading->most_bytes / CEILING_SHARE;
	file->jit->piece = reading->piece;
	file->claimed = true;
	file->user = reading->user;
	return file;
}

static int open_source(struct jit_reading *reading, struct stat *status)
{
	if (reading->sort == PERF_MAP)
		return open_perf_map(&reading->process, reading->theirs, status);
	if (reading->theirs)
		return proc_open_mapped(reading->process.pid, &reading->mapped, status);
	return proc_open_mapped_here(&reading->mapped, status);
}

/* One that is another, or shorter than what was read of it, was begun anew. */
static void read_on(struct jit_reading *reading, const struct elf_source *source, uint64_t key)
{
	struct file *file = reading->file;
	struct jit *jit;

	if (file && (reading->key != key || file->jit->read_until > source->bytes)) {
		file_free(file);
		file = NULL;
	}
	if (!file)
		file = new_file(reading);
	reading->file = file;
	reading->key = key;
	jit = file->jit;
	if (reading->sort == JITDUMP)
		jitdump_read(jit, source);
	else
		perf_map_read(jit, source);
	codes_settle(&jit->codes);
	file->bytes = sizeof(*file) + jit_bytes(jit);
	jit->read_time = now();
	reading->unread = !jit->codes.refused && jit->read_until + LINE_BYTES_MOST < source->bytes;
}

static void run(struct errand *errand)
{
	struct jit_reading *reading = (struct jit_reading *)errand;
	struct elf_source source = { .fd = -1 };
	uint64_t before = now();
	struct stat status;

	source.fd = open_source(reading, &status);
	reading->error = source.fd < 0 ? source.fd : 0;
	if (reading->error)
		return;
	source.bytes = (uint64_t)status.st_size;
	read_on(reading, &source, key_of(reading->sort, reading->mm_id, &status));
	close(source.fd);
	reading->took = now() - before;
}

/* ------------------------------------------------------------------------------------------------ asking for it */

static struct process process_of(const struct mappings *mappings, const char *executable)
{
	struct process process = { .pid = mappings->pid, .started = mappings->started, .executable = executable };

	for (size_t i = 0; i < mappings->count && !process.end; i++) {
		const struct mapping *mapping = &mappings->list[i];

		if (!mapping->object || !object_is_file(mapping->object))
			continue;
		process.start = mapping->start;
		process.end = mapping->end;
	}
	return process;
}

static void set_mapped(struct jit_reading *reading, const struct mapping *mapping)
{
	const struct object *object = mapping->object;

	reading->path = memory_string(object->path);
	reading->mapped = (struct proc_mapped){
		.start = mapping->start, .end = mapping->end, .path = reading->path,
		.major = object->major, .minor = object->minor, .inode = object->inode,
	};
	reading->errand.major = object->major;
	reading->errand.minor = object->minor;
}

/* What was read before goes with it, and comes back. */
static struct jit_reading *begin(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings, enum sort sort)
{
	struct jit_source *from = &mappings->jit[sort];
	struct jit_reading *reading = memory_zeroed(1, sizeof(*reading));
	bool theirs = from->theirs || !symbols->errands.give;

	reading->errand = (struct errand){ .run = run, .discard = discard, .major = ERRAND_OURS, .user = symbols->cache.user,
					    .pid = mappings->pid };
	if (sort == JITDUMP)
		set_mapped(reading, mappings->jitdump);
	if (theirs) {
		reading->errand.major = ERRAND_USER;
		reading->errand.minor = symbols->cache.user;
	}
	if (mappings->executable)
		reading->executable = memory_string(mappings->executable);
	reading->sort = sort;
	reading->theirs = theirs;
	reading->mm_id = mm_id;
	reading->process = process_of(mappings, reading->executable);
	reading->most_bytes = symbols->cache.most_bytes;
	reading->piece = symbols->cache.piece;
	reading->user = symbols->cache.user;
	reading->key = from->key;
	reading->file = from->key ? cache_take(&symbols->cache, from->key) : NULL;
	from->reading = &reading->errand;
	return reading;
}

static void wait_for_retry(struct jit_source *from)
{
	from->interval = from->interval ? from->interval * 2 : UNKNOWN_INTERVAL;
	if (from->interval > RETRY_MOST)
		from->interval = RETRY_MOST;
	from->next_time = now() + from->interval;
}

/*
 * Not found at our place, it may be at the process's: then it is looked for there at once. But a map is at our place wherever that is the
 * process's, too.
 */
static bool looks_further(struct jit_source *from, const struct jit_reading *reading)
{
	bool further = reading->error && !reading->theirs && !reading->errand.undone &&
		       (reading->sort == JITDUMP || reading->error == -EXDEV || reading->error == -ELOOP);

	from->theirs |= further;
	return further;
}

static void take(struct symbols *symbols, struct jit_source *from, struct jit_reading *reading)
{
	from->reading = NULL;
	if (reading->file) {
		from->key = reading->key;
		cache_put(&symbols->cache, reading->key, reading->file);
	}
	if (looks_further(from, reading)) {
		from->next_time = 0;
	} else if (reading->error || reading->errand.undone) {
		wait_for_retry(from);
	} else {
		from->interval = UNKNOWN_INTERVAL;
		from->unread = reading->unread;
		from->next_time = now() + (from->unread ? 0 : UNKNOWN_INTERVAL) + reading->took * READ_SHARE;
		/* There is no room for what else it may say. */
		if (reading->file->jit->codes.refused)
			from->next_time = now() + RETRY_MOST;
	}
	reading->file = NULL;
	discard(&reading->errand);
}

void jit_forget(struct cache *cache, struct mappings *mappings)
{
	for (unsigned int sort = JITDUMP; sort <= PERF_MAP; sort++) {
		struct file *file = mappings->jit[sort].key ? cache_take(cache, mappings->jit[sort].key) : NULL;

		if (file)
			file_free(file);
	}
}

static const char *look_up(struct symbols *symbols, const struct jit_source *from, uint64_t address, uint64_t *start, uint64_t *read_time)
{
	struct file *file = from->key ? cache_get(&symbols->cache, from->key) : NULL;

	*read_time = file ? file->jit->read_time : 0;
	return file ? codes_find(&file->jit->codes, address, start) : NULL;
}

/* False: it is under way. */
static bool read_more(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings, enum sort sort)
{
	struct jit_source *from = &mappings->jit[sort];
	struct jit_reading *reading;

	do {
		reading = begin(symbols, mm_id, mappings, sort);
		if (!errand_ask(&symbols->errands, &reading->errand))
			return false;
		take(symbols, from, reading);
	} while (!from->next_time);
	return true;
}

static const char *find(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings, enum sort sort, uint64_t address,
			uint64_t *start)
{
	struct jit_source *from = &mappings->jit[sort];
	uint64_t time = now(), read_time;
	const char *name;

	if (from->reading && errand_is_done(from->reading))
		take(symbols, from, (struct jit_reading *)from->reading);
	if (!from->reading) {
		name = look_up(symbols, from, address, start, &read_time);
		if (time < from->next_time || (name && time - read_time < KNOWN_INTERVAL))
			return name;
		if (read_more(symbols, mm_id, mappings, sort))
			return look_up(symbols, from, address, start, &read_time);
	}
	symbols_await(symbols, from->reading);
	return NULL;
}

const char *jit_find(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings, uint64_t address, uint64_t *start)
{
	const char *name = NULL;

	if (!mappings->jitdump_known)
		find_jitdump(mappings);
	if (mappings->jitdump)
		name = find(symbols, mm_id, mappings, JITDUMP, address, start);
	return name ? name : find(symbols, mm_id, mappings, PERF_MAP, address, start);
}
