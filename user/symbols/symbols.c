// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>

#include "base/buffer.h"
#include "base/message.h"
#include "symbols/file.h"
#include "symbols/jit.h"
#include "symbols/kallsyms.h"
#include "symbols/mappings.h"
#include "symbols/names.h"
#include "symbols/proc.h"
#include "symbols/runtime.h"
#include "symbols/symbols.h"

#define BYTES_DEFAULT		(32U << 20)
#define OPEN_ATTEMPTS_MOST	4
#define OWN_MAPS_BYTES_MOST	(16U << 20)
#define VDSO			"[vdso]"

struct symbols {
	size_t most_bytes;
	struct kallsyms kernel;
	struct map spaces;		/* mm_id -> struct mappings */
	struct map objects;		/* of all of them */
	struct cache cache;
	struct names names;
	struct elf_source vdso;		/* memory NULL: not to be used */
	uint64_t frames_named, frames_unknown, files_failed;
};

struct symbols *symbols_create(size_t most_bytes)
{
	struct symbols *symbols = memory_zeroed(1, sizeof(*symbols));

	symbols->most_bytes = most_bytes ? most_bytes : BYTES_DEFAULT;
	symbols->cache.most_bytes = symbols->most_bytes;
	symbols->names.most_bytes = symbols->most_bytes / 2;
	return symbols;
}

void symbols_destroy(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (struct map_slot *slot = map_next(&symbols->spaces, NULL); slot; slot = map_next(&symbols->spaces, slot))
		mappings_free(slot->value, &symbols->objects);
	map_free(&symbols->spaces);
	map_free(&symbols->objects);
	cache_free(&symbols->cache);
	names_free(&symbols->names);
	kallsyms_free(&symbols->kernel);
	free(symbols);
}

/* ------------------------------------------------------------------------------------------------ the kernel */

int symbols_load_kernel(struct symbols *symbols, const char *text, size_t bytes)
{
	struct kallsyms kernel;
	int error = kallsyms_parse(&kernel, text, bytes);

	if (error)
		return error;
	kallsyms_free(&symbols->kernel);
	symbols->kernel = kernel;
	return 0;
}

bool symbols_kernel_has(const struct symbols *symbols, const char *prefix_or_name, bool prefix)
{
	return kallsyms_has(&symbols->kernel, prefix_or_name, prefix);
}

static void name_kernel(struct symbols *symbols, struct frame *frame)
{
	uint64_t start;
	const char *function = kallsyms_find(&symbols->kernel, frame->address, &start, &frame->object);

	frame->kind = FRAME_KERNEL;
	frame->object_address = frame->address;
	if (function) {
		frame->function = intern(function);
		frame->function_offset = frame->address - start;
	}
}

/* ------------------------------------------------------------------------------------------------ address spaces */

void symbols_set_mappings(struct symbols *symbols, uint64_t mm_id, uint32_t pid, const char *executable,
			  const char *text, size_t bytes)
{
	struct mappings *mappings = mappings_parse(&symbols->objects, pid, executable, text, bytes);
	struct mappings *before = map_put(&symbols->spaces, mm_id, mappings);

	if (before)
		mappings_free(before, &symbols->objects);
}

bool symbols_have_mappings(const struct symbols *symbols, uint64_t mm_id)
{
	return map_get(&symbols->spaces, mm_id);
}

bool symbols_address_is_mapped(const struct symbols *symbols, uint64_t mm_id, uint64_t address)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);

	return mappings && mappings_find(mappings, address);
}

const char *symbols_executable(const struct symbols *symbols, uint64_t mm_id)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);

	return mappings ? mappings->executable : NULL;
}

void symbols_forget(struct symbols *symbols, uint64_t mm_id)
{
	struct mappings *mappings = map_remove(&symbols->spaces, mm_id);

	if (mappings)
		mappings_free(mappings, &symbols->objects);
}

/* ------------------------------------------------------------------------------------------------ files */

void symbols_use_own_vdso(struct symbols *symbols)
{
	uint64_t address = getauxval(AT_SYSINFO_EHDR);
	struct buffer maps = { 0 };
	struct map objects = { 0 };
	struct mappings *own;
	const struct mapping *mapping;

	if (!address || buffer_read_file(&maps, "/proc/self/maps", OWN_MAPS_BYTES_MOST))
		return;
	own = mappings_parse(&objects, 0, NULL, maps.data, maps.bytes);
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

/* Our own debug files are more to be trusted than those a process shows. */
static void open_roots(uint32_t pid, struct symbols_opened *opened)
{
	opened->roots[0] = proc_open_root(0);
	opened->root_count = opened->roots[0] >= 0;
	opened->roots[opened->root_count] = pid ? proc_open_root(pid) : -ESRCH;
	opened->root_count += opened->roots[opened->root_count] >= 0;
}

void symbols_close(struct symbols_opened *opened)
{
	while (opened->root_count)
		close(opened->roots[--opened->root_count]);
	if (opened->fd >= 0)
		close(opened->fd);
	free(opened->path);
	*opened = (struct symbols_opened){ .fd = -1 };
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

int symbols_open(struct symbols *symbols, uint64_t mm_id, uint64_t address, struct symbols_opened *opened)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);
	const struct mapping *mapping = mappings ? mappings_find(mappings, address) : NULL;
	int error;

	if (!mapping || !mapping->object || !object_is_file(mapping->object))
		return -ENOENT;
	error = open_mapping(mappings->pid, mapping, opened);
	if (!error)
		open_roots(mappings->pid, opened);
	return error;
}

/* Reads the object unless the same file was read before under another name. */
static struct file *open_object(struct symbols *symbols, uint32_t pid, const struct mapping *mapping)
{
	struct object *object = mapping->object;
	struct symbols_opened opened;
	struct elf_source source;
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
		open_roots(pid, &opened);
		source = (struct elf_source){ .fd = opened.fd, .bytes = opened.bytes };
		error = file_read(&file, &source, opened.path, opened.roots, opened.root_count, symbols->most_bytes);
		if (!error)
			cache_put(&symbols->cache, object->file_key, file);
	}
	symbols_close(&opened);
	object->known = !error;
	object->useless = error;
	symbols->files_failed += error != 0;
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

/* What is known of a mapped file; NULL: nothing can be had. */
static struct file *file_of(struct symbols *symbols, const struct mappings *mappings, const struct mapping *mapping)
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

/* ------------------------------------------------------------------------------------------------ names */

/* A file in memory is a program that runs without one, or what a just-in-time compiler writes its code into. */
static bool is_code_without_file(const struct object *object)
{
	return object->useless && !strncmp(object->path, "/memfd:", 7);
}

static void name_compiled(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings, struct frame *frame)
{
	uint64_t start;
	const char *function = jit_find(&symbols->cache, mm_id, mappings, frame->address, &start);

	if (function) {
		frame->function = names_function(&symbols->names, function, false);
		frame->function_offset = frame->function ? frame->address - start : 0;
	}
}

static void name_mapped(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings,
			const struct mapping *mapping, struct frame *frame)
{
	struct object *object = mapping->object;
	uint64_t offset = frame->address - mapping->start + mapping->offset;
	struct file *file = file_of(symbols, mappings, mapping);
	const char *function;
	uint64_t start;

	if (is_code_without_file(object)) {
		frame->kind = FRAME_ANONYMOUS;
		name_compiled(symbols, mm_id, mappings, frame);
		return;
	}
	frame->kind = FRAME_NATIVE;
	frame->object = names_object(&symbols->names, object->path, object->name_bytes);
	frame->object_address = offset;
	if (!file || !elf_address_of(file->segments, file->segment_count, offset, &frame->object_address))
		return;
	function = table_find(&file->table, frame->object_address, &start);
	if (function) {
		frame->function = names_function(&symbols->names, function,
						 table_is_folded(&file->table, frame->object_address));
		frame->function_offset = frame->function ? frame->object_address - start : 0;
	}
}

static void name_user(struct symbols *symbols, uint64_t mm_id, struct frame *frame)
{
	struct mappings *mappings = map_get(&symbols->spaces, mm_id);
	const struct mapping *mapping = mappings ? mappings_find(mappings, frame->address) : NULL;

	frame->kind = mapping ? FRAME_ANONYMOUS : FRAME_UNKNOWN;
	frame->object_address = frame->address;
	if (mapping && mapping->object)
		name_mapped(symbols, mm_id, mappings, mapping, frame);
	else if (mapping)
		name_compiled(symbols, mm_id, mappings, frame);
}

void symbols_name(struct symbols *symbols, uint64_t mm_id, bool kernel, struct frame *frame)
{
	frame->function = NULL;
	frame->object = NULL;
	frame->function_offset = 0;
	if (kernel)
		name_kernel(symbols, frame);
	else
		name_user(symbols, mm_id, frame);
	if (frame->function)
		symbols->frames_named++;
	else
		symbols->frames_unknown++;
}

static enum symbols_lack diagnose_file(struct symbols *symbols, const struct mappings *mappings,
				       const struct mapping *mapping, struct symbols_diagnosis *diagnosis)
{
	const struct object *object = mapping->object;
	const struct file *file = file_of(symbols, mappings, mapping);

	diagnosis->deleted = object->path[object->name_bytes];
	diagnosis->error = object->error;
	if (!object_is_file(object))
		return SYMBOLS_LACK_FILE;
	if (!file)
		return object->useless ? SYMBOLS_LACK_ELF : SYMBOLS_LACK_FILE;
	for (size_t i = 0; i < file->build_id_bytes; i++)
		sprintf(diagnosis->build_id + 2 * i, "%02x", file->build_id[i]);
	return file->whole ? SYMBOLS_LACK_FUNCTION : SYMBOLS_LACK_TABLE;
}

void symbols_diagnose(struct symbols *symbols, uint64_t mm_id, const struct frame *frame,
		      struct symbols_diagnosis *diagnosis)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);
	const struct mapping *mapping = mappings ? mappings_find(mappings, frame->address) : NULL;

	*diagnosis = (struct symbols_diagnosis){ .lack = SYMBOLS_LACK_NOTHING };
	if (frame->function)
		return;
	if (frame->kind == FRAME_KERNEL)
		diagnosis->lack = SYMBOLS_LACK_KERNEL;
	else if (!mappings)
		diagnosis->lack = SYMBOLS_LACK_MAPPINGS;
	else if (!mapping)
		diagnosis->lack = SYMBOLS_LACK_MAPPING;
	else if (frame->kind == FRAME_ANONYMOUS)
		diagnosis->lack = mappings->jit[0].key || mappings->jit[1].key ? SYMBOLS_LACK_COMPILED : SYMBOLS_LACK_MAP;
	else if (mapping->object)
		diagnosis->lack = diagnose_file(symbols, mappings, mapping, diagnosis);
}

/* ------------------------------------------------------------------------------------------------ runtimes */

static const char *find_runtime(struct symbols *symbols, const struct mappings *mappings)
{
	const char *runtime = runtime_of_executable(mappings->executable);

	for (size_t i = 0; i < mappings->count && !runtime; i++) {
		const struct mapping *mapping = &mappings->list[i];
		const struct object *object = mapping->object;
		const struct file *file;

		if (!object)
			continue;
		runtime = runtime_of_library(object->path, object->name_bytes);
		if (runtime || !mappings->executable ||
		    strncmp(object->path, mappings->executable, object->name_bytes) ||
		    mappings->executable[object->name_bytes])
			continue;
		file = file_of(symbols, mappings, mapping);
		runtime = file ? file->runtime : NULL;
	}
	return runtime;
}

const char *symbols_runtime(struct symbols *symbols, uint64_t mm_id)
{
	struct mappings *mappings = map_get(&symbols->spaces, mm_id);

	if (!mappings)
		return NULL;
	if (!mappings->runtime_known) {
		mappings->runtime = find_runtime(symbols, mappings);
		mappings->runtime_known = true;
	}
	return mappings->runtime;
}

void symbols_get_statistics(const struct symbols *symbols, struct symbols_statistics *statistics)
{
	*statistics = (struct symbols_statistics){
		.files = symbols->cache.files.used,
		.bytes = symbols->cache.bytes + table_bytes(&symbols->kernel.table) + symbols->names.bytes,
		.frames_named = symbols->frames_named,
		.frames_unknown = symbols->frames_unknown,
		.files_failed = symbols->files_failed,
		.files_evicted = symbols->cache.evicted,
		.names_refused = symbols->names.refused,
	};
}
