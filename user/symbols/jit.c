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

#define SECOND			1000000000ULL
#define UNKNOWN_INTERVAL	(SECOND / 10)	/* a new address: the file may have grown */
#define KNOWN_INTERVAL		SECOND		/* it may be another function by now */
#define RETRY_MOST		(64 * SECOND)
#define READ_SHARE		50		/* reading takes at most one part in so many of a CPU */
#define STATUS_BYTES_MOST	16384
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

/* Numbers are used again: the process is the one we know if it has one of its files where we know it to be. */
static bool is_same_process(const struct mappings *mappings)
{
	char path[128];
	struct stat status;

	if (!mappings->pid)
		return false;
	for (size_t i = 0; i < mappings->count; i++) {
		const struct mapping *mapping = &mappings->list[i];

		if (!mapping->object || !object_is_file(mapping->object))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/map_files/%lx-%lx", mappings->pid,
			 (unsigned long)mapping->start, (unsigned long)mapping->end);
		return !lstat(path, &status);
	}
	return false;
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

static int open_perf_map(const struct mappings *mappings, struct stat *status)
{
	uint32_t user = geteuid();
	struct identity identity = { mappings->pid, { user, user, user, user } };
	bool lives = is_same_process(mappings) && read_identity(mappings->pid, &identity);
	int root = proc_open_root(lives ? mappings->pid : 0), fd;
	char path[64];

	if (root < 0)
		return root;
	snprintf(path, sizeof(path), "/tmp/perf-%u.map", identity.pid);
	fd = proc_open_in_root(root, path);
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

static int open_jitdump(const struct mappings *mappings, struct stat *status)
{
	const struct mapping *mapping = mappings->jitdump;
	struct proc_mapped mapped = {
		.start = mapping->start, .end = mapping->end, .path = mapping->object->path,
		.major = mapping->object->major, .minor = mapping->object->minor, .inode = mapping->object->inode,
	};

	return proc_open_mapped(mappings->pid, &mapped, status);
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

static struct file *new_file(const struct cache *cache)
{
	struct file *file = memory_zeroed(1, sizeof(*file));

	file->jit = memory_zeroed(1, sizeof(*file->jit));
	file->jit->codes.most_bytes = cache->most_bytes / CEILING_SHARE;
	return file;
}

static struct file *read_on(struct cache *cache, uint64_t mm_id, struct mappings *mappings, enum sort sort)
{
	struct jit_source *from = &mappings->jit[sort];
	struct elf_source source = { .fd = -1 };
	struct file *file;
	struct stat status;
	uint64_t before = now(), after;
	struct jit *jit;

	source.fd = sort == JITDUMP ? open_jitdump(mappings, &status) : open_perf_map(mappings, &status);
	if (source.fd < 0) {
		from->interval = from->interval ? from->interval * 2 : UNKNOWN_INTERVAL;
		if (from->interval > RETRY_MOST)
			from->interval = RETRY_MOST;
		from->next_time = before + from->interval;
		return from->key ? cache_get(cache, from->key) : NULL;
	}
	source.bytes = (uint64_t)status.st_size;
	from->key = key_of(sort, mm_id, &status);
	file = cache_take(cache, from->key);
	if (file && file->jit->read_until > source.bytes) {
		file_free(file);	/* it was begun anew */
		file = NULL;
	}
	if (!file)
		file = new_file(cache);
	jit = file->jit;
	if (sort == JITDUMP)
		jitdump_read(jit, &source);
	else
		perf_map_read(jit, &source);
	close(source.fd);
	codes_settle(&jit->codes);
	file->bytes = sizeof(*file) + jit_bytes(jit);
	cache_put(cache, from->key, file);
	after = now();
	jit->read_time = after;
	from->interval = UNKNOWN_INTERVAL;
	from->next_time = after + UNKNOWN_INTERVAL + (after - before) * READ_SHARE;
	return file;
}

static const char *find(struct cache *cache, uint64_t mm_id, struct mappings *mappings, enum sort sort, uint64_t address,
			uint64_t *start)
{
	struct jit_source *from = &mappings->jit[sort];
	struct file *file = from->key ? cache_get(cache, from->key) : NULL;
	const char *name = file ? codes_find(&file->jit->codes, address, start) : NULL;
	uint64_t time = now();

	if (time < from->next_time || (name && time - file->jit->read_time < KNOWN_INTERVAL))
		return name;
	file = read_on(cache, mm_id, mappings, sort);
	return file ? codes_find(&file->jit->codes, address, start) : NULL;
}

const char *jit_find(struct cache *cache, uint64_t mm_id, struct mappings *mappings, uint64_t address, uint64_t *start)
{
	const char *name = NULL;

	if (!mappings->jitdump_known)
		find_jitdump(mappings);
	if (mappings->jitdump)
		name = find(cache, mm_id, mappings, JITDUMP, address, start);
	return name ? name : find(cache, mm_id, mappings, PERF_MAP, address, start);
}
