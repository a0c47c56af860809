// SPDX-License-Identifier: GPL-2.0-or-later
/* Files by way of the mappings of a process: what frames that are addresses need. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>

#include "base/buffer.h"
#include "base/message.h"
#include "symbols/errand.h"
#include "symbols/proc.h"
#include "symbols/state.h"

#define OPEN_ATTEMPTS_MOST	4
#define OWN_MAPS_BYTES_MOST	(16U << 20)
#define VDSO			"[vdso]"

void symbols_use_own_vdso(struct symbols *symbols)
{
	uint64_t address = getauxval(AT_SYSINFO_EHDR);
	struct buffer maps = { 0 };
	struct objects objects = { .pool = { .most = SIZE_MAX, .undivided = true } };
	struct mappings *own;
	const struct mapping *mapping;

	if (!address || buffer_read_file(&maps, "/proc/self/maps", OWN_MAPS_BYTES_MOST))
		return;
	own = mappings_parse(&objects, NULL, 0, NULL, maps.data, maps.bytes);
	mapping = mappings_find(own, address);
	if (mapping && mapping->start == address) {
		symbols->vdso.memory = (const void *)address;	/* for as long as this process lives */
		symbols->vdso.bytes = mapping->end - mapping->start;
	}
	mappings_free(own, &objects);
	objects_free(&objects);
	buffer_free(&maps);
}

/* The image has the same size in all 64-bit processes; that of 32-bit ones is another, in the lower 4 GiB. */
static bool is_own_vdso(const struct symbols *symbols, const struct mapping *mapping)
{
	return symbols->vdso.memory && !strcmp(mapping->object->path, VDSO) && mapping->start > UINT32_MAX &&
	       mapping->end - mapping->start == symbols->vdso.bytes;
}

static uint64_t key_of_status(const struct stat *status)
{
	uint64_t time = (uint64_t)status->st_mtim.tv_sec * 1000000000ULL + (uint64_t)status->st_mtim.tv_nsec;

	return hash_words(hash_words(status->st_dev, status->st_ino), hash_words((uint64_t)status->st_size, time));
}

/* The object by way of one of its mappings, without the root. */
static int open_mapping(uint32_t pid, const struct mapping *mapping, struct symbols_opened *opened)
{
	const struct object *object = mapping->object;
	const struct proc_mapped mapped = {
		.start = mapping->start, .end = mapping->end, .path = object->path,
		.major = object->major, .minor = object->minor, .inode = object->inode,
	};
	struct stat status;

	*opened = (struct symbols_opened){ .fd = proc_open_mapped(pid, &mapped, &status), .root = -1 };
	if (opened->fd < 0)
		return opened->fd;
	opened->bytes = (uint64_t)status.st_size;
	opened->key = key_of_status(&status);
	opened->path = strndup(object->path, object->name_bytes);
	return 0;
}

int mapped_open(const struct mappings *mappings, uint64_t address, struct symbols_opened *opened)
{
	const struct mapping *mapping = mappings ? mappings_find(mappings, address) : NULL;
	int error;

	if (!mapping || !mapping->object || !object_is_file(mapping->object))
		return -ENOENT;
	error = open_mapping(mappings->pid, mapping, opened);
	if (!error)
		opened->root = proc_open_root(0);
	return error;
}

/* ---- reading an object, and what came of it ---- */

struct mapped_reading {
	struct errand errand;
	struct proc_mapped mapped;	/* its path is this: */
	char *path;			/* with " (deleted)" */
	size_t name_bytes, most_bytes;
	bool theirs;			/* as the process sees it */
	int error;			/* -errno of opening it */
	uint64_t key;
	struct file *file;		/* NULL: symbols cannot be had from it */
};

static void discard(struct errand *errand)
{
	struct mapped_reading *reading = (struct mapped_reading *)errand;

	if (reading->file)
		file_free(reading->file);
	free(reading->path);
	free(reading);
}

static void run(struct errand *errand)
{
	struct mapped_reading *reading = (struct mapped_reading *)errand;
	struct elf_source source = { .fd = -1 };
	struct stat status;
	int root;

	source.fd = reading->theirs ? proc_open_mapped(errand->pid, &reading->mapped, &status) :
				      proc_open_mapped_here(&reading->mapped, &status);
	reading->error = source.fd < 0 ? source.fd : 0;
	if (reading->error)
		return;
	reading->key = key_of_status(&status);
	source.bytes = (uint64_t)status.st_size;
	reading->path[reading->name_bytes] = '\0';
	root = proc_open_root(0);
	if (file_read(&reading->file, &source, reading->path, root, reading->most_bytes))
		reading->file = NULL;
	if (root >= 0)
		close(root);
	close(source.fd);
}

static struct mapped_reading *reading_of(const struct symbols *symbols, uint32_t pid, const struct mapping *mapping, bool theirs)
{
	const struct object *object = mapping->object;
	struct mapped_reading *reading = memory_zeroed(1, sizeof(*reading));

	reading->errand = (struct errand){
		.run = run, .discard = discard, .user = symbols->cache.user, .pid = pid,
		.major = theirs ? ERRAND_USER : object->major, .minor = theirs ? symbols->cache.user : object->minor,
	};
	reading->path = memory_string(object->path);
	reading->mapped = (struct proc_mapped){
		.start = mapping->start, .end = mapping->end, .path = reading->path,
		.major = object->major, .minor = object->minor, .inode = object->inode,
	};
	reading->name_bytes = object->name_bytes;
	reading->most_bytes = symbols->most_bytes;
	reading->theirs = theirs;
	return reading;
}

/* The same file may have been read before under another name. */
static struct file *take_file(struct symbols *symbols, struct object *object, struct mapped_reading *reading)
{
	struct file *file = cache_get(&symbols->cache, reading->key);

	object->file_key = reading->key;
	if (!file && reading->file) {
		file = reading->file;
		reading->file = NULL;
		cache_put(&symbols->cache, object->file_key, file);
	}
	symbols->files_failed += !file;
	object->known = file;
	object->useless = !file;
	return file;
}

static void note_failure(struct symbols *symbols, struct object *object, const struct mapped_reading *reading)
{
	object->error = reading->error;
	object->failures++;
	object->failed_pid = reading->errand.pid;
	symbols->files_failed++;
}

static bool is_given_up(const struct object *object, uint32_t pid)
{
	return object->failures >= OPEN_ATTEMPTS_MOST || (object->failures && object->failed_pid == pid);
}

/* NULL: it is under way, or cannot be had. */
static struct mapped_reading *read_object(struct symbols *symbols, uint32_t pid, const struct mapping *mapping, bool theirs)
{
	struct object *object = mapping->object;
	struct mapped_reading *reading = (struct mapped_reading *)object->reading;

	if (reading) {
		if (!errand_is_done(&reading->errand)) {
			symbols_await(symbols, &reading->errand);
			return NULL;
		}
		object->reading = NULL;
		return reading;
	}
	reading = reading_of(symbols, pid, mapping, theirs);
	if (errand_ask(&symbols->errands, &reading->errand))
		return reading;
	object->reading = &reading->errand;
	symbols_await(symbols, &reading->errand);
	return NULL;
}

/* Who has nobody to run errands looks where the process does at once: it is not kept longer than it lets itself be. */
static struct file *open_object(struct symbols *symbols, uint32_t pid, const struct mapping *mapping)
{
	struct object *object = mapping->object;
	struct mapped_reading *reading;
	struct file *file = NULL;

	if (is_given_up(object, pid))
		return NULL;
	reading = read_object(symbols, pid, mapping, !symbols->errands.give);
	if (reading && reading->error && !reading->theirs && !reading->errand.undone) {
		discard(&reading->errand);
		reading = read_object(symbols, pid, mapping, true);
	}
	if (!reading)
		return NULL;
	if (reading->errand.undone)
		symbols->pending = true;
	else if (reading->error)
		note_failure(symbols, object, reading);
	else
		file = take_file(symbols, object, reading);
	discard(&reading->errand);
	return file;
}

static struct file *open_vdso(struct symbols *symbols, struct object *object)
{
	struct file *file = NULL;

	object->file_key = hash_bytes(VDSO, strlen(VDSO), 0);
	file = cache_get(&symbols->cache, object->file_key);
	if (!file && !file_read(&file, &symbols->vdso, NULL, -1, symbols->most_bytes))
		cache_put(&symbols->cache, object->file_key, file);
	object->known = file;
	object->useless = !file;
	return file;
}

struct file *mapped_file(struct symbols *symbols, const struct mappings *mappings, const struct mapping *mapping)
{
	struct object *object = mapping->object;
	struct file *file;

	if (object->useless)
		return NULL;
	file = object->known ? cache_get(&symbols->cache, object->file_key) : NULL;
	if (file)
		return file;
	if (is_own_vdso(symbols, mapping))
		return open_vdso(symbols, object);
	return object_is_file(object) ? open_object(symbols, mappings->pid, mapping) : NULL;
}
