// SPDX-License-Identifier: GPL-2.0-or-later
/* Files by way of the mappings of a process: what frames that are addresses need. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>

#include "base/buffer.h"
#include "base/message.h"
#include "symbols/proc.h"
#include "symbols/state.h"

#define OPEN_ATTEMPTS_MOST	4
#define OWN_MAPS_BYTES_MOST	(16U << 20)
#define VDSO			"[vdso]"

void symbols_use_own_vdso(struct symbols *symbols)
{
	uint64_t address = getauxval(AT_SYSINFO_EHDR);
	struct buffer maps = { 0 };
	struct map objects = { 0 };
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
	map_free(&objects);
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

/* The object by way of one of its mappings, without the roots. */
static int open_mapping(uint32_t pid, const struct mapping *mapping, struct symbols_opened *opened)
{
	const struct object *object = mapping->object;
	const struct proc_mapped mapped = {
		.start = mapping->start, .end = mapping->end, .path = object->path,
		.major = object->major, .minor = object->minor, .inode = object->inode,
	};
	struct stat status;

	*opened = (struct symbols_opened){ .fd = proc_open_mapped(pid, &mapped, &status) };
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
		symbols_open_roots(mappings->pid, opened);
	return error;
}

/* Reads the object unless the same file was read before under another name. */
static struct file *open_object(struct symbols *symbols, uint32_t pid, const struct mapping *mapping)
{
	struct object *object = mapping->object;
	struct symbols_opened opened;
	struct file *file;
	int error;

	if (object->failures >= OPEN_ATTEMPTS_MOST || (object->failures && object->failed_pid == pid))
		return NULL;
	error = open_mapping(pid, mapping, &opened);
	if (error) {
		object->error = error;
		object->failures++;
		object->failed_pid = pid;
		symbols->files_failed++;
		return NULL;
	}
	object->file_key = opened.key;
	file = cache_get(&symbols->cache, object->file_key);
	if (!file) {
		symbols_open_roots(pid, &opened);
		error = symbols_read_opened(symbols, &opened, object->file_key, &file);
	}
	symbols_close(&opened);
	object->known = !error;
	object->useless = error;
	return file;
}

static struct file *open_vdso(struct symbols *symbols, struct object *object)
{
	struct file *file = NULL;

	object->file_key = hash_bytes(VDSO, strlen(VDSO), 0);
	file = cache_get(&symbols->cache, object->file_key);
	if (!file && !file_read(&file, &symbols->vdso, NULL, NULL, 0, symbols->most_bytes))
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
