// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "symbols/jit.h"
#include "symbols/proc.h"
#include "symbols/runtime.h"
#include "symbols/state.h"

#define BYTES_DEFAULT		(32U << 20)
#define MAPPINGS_BYTES_MOST	(64U << 20)	/* of all processes; one of the ordinary ones has some kilobytes */
#define PIECE_BYTES		(256U << 10)	/* a millisecond or two */

struct symbols *symbols_create(size_t most_bytes)
{
	struct symbols *symbols = memory_zeroed(1, sizeof(*symbols));

	symbols->most_bytes = most_bytes ? most_bytes : BYTES_DEFAULT;
	symbols->cache.most_bytes = symbols->most_bytes;
	symbols->objects.pool = (struct pool){ .most = SIZE_MAX, .undivided = true };
	symbols->names.pool = (struct pool){ .most = symbols->most_bytes / 2, .undivided = true };
	return symbols;
}

void symbols_destroy(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (struct map_slot *slot = map_next(&symbols->spaces, NULL); slot; slot = map_next(&symbols->spaces, slot))
		mappings_free(slot->value, &symbols->objects);
	map_free(&symbols->spaces);
	objects_free(&symbols->objects);
	map_free_values(&symbols->users);
	sampled_free_all(symbols);
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

void symbols_divide(struct symbols *symbols)
{
	symbols->names.pool.undivided = false;
	symbols->objects.pool.undivided = false;
	symbols->objects.pool.most = MAPPINGS_BYTES_MOST;
	symbols->cache.piece = PIECE_BYTES;
}

void symbols_set_user(struct symbols *symbols, uint64_t mm_id, uint32_t user)
{
	struct space_user *space = map_get(&symbols->users, mm_id);

	if (!space) {
		space = memory_zeroed(1, sizeof(*space));
		map_put(&symbols->users, mm_id, space);
	}
	space->user = user;
	symbols->names.holder.process = 0;	/* is looked up anew */
}

void symbols_get_holder(const struct symbols *symbols, uint64_t mm_id, struct pool_holder *holder)
{
	const struct space_user *space = map_get(&symbols->users, mm_id);

	*holder = (struct pool_holder){ .user = space ? space->user : POOL_NOBODY, .process = mm_id };
}

/* All that is kept from now on is kept for that address space. */
static void work_for(struct symbols *symbols, uint64_t mm_id)
{
	symbols_get_holder(symbols, mm_id, &symbols->names.holder);
	symbols->cache.user = symbols->names.holder.user;
}

void symbols_set_mappings(struct symbols *symbols, uint64_t mm_id, uint32_t pid, const char *executable,
			  const char *text, size_t bytes)
{
	uint64_t refused = symbols->objects.pool.refused;
	struct mappings *mappings, *before;

	work_for(symbols, mm_id);
	mappings = mappings_parse(&symbols->objects, &symbols->names, pid, executable, text, bytes);
	/* Frames there have no names. */
	if (symbols->objects.pool.refused != refused) {
		symbols->names.pool.refused += symbols->objects.pool.refused - refused;
		symbols->names.pool.last_refused = symbols->names.holder;
	}
	before = map_put(&symbols->spaces, mm_id, mappings);
	if (before) {
		jit_move(before, mappings);
		mappings_free(before, &symbols->objects);
	}
}

void symbols_set_start(struct symbols *symbols, uint64_t mm_id, uint64_t ticks)
{
	struct mappings *mappings = map_get(&symbols->spaces, mm_id);

	if (mappings)
		mappings->started = ticks;
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

	free(map_remove(&symbols->users, mm_id));
	if (!mappings)
		return;
	jit_forget(&symbols->cache, mappings);
	mappings_free(mappings, &symbols->objects);
}

void symbols_forget_names(struct symbols *symbols)
{
	for (struct map_slot *slot = map_next(&symbols->spaces, NULL); slot; slot = map_next(&symbols->spaces, slot))
		intern_keep(((const struct mappings *)slot->value)->executable);
	names_forget(&symbols->names);
}

bool symbols_are_unread(const struct symbols *symbols, uint64_t mm_id)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);

	return mappings && (mappings->jit[0].unread || mappings->jit[1].unread);
}

bool symbols_have_many_names(const struct symbols *symbols)
{
	return names_are_many(&symbols->names);
}

/* ------------------------------------------------------------------------------------------------ files */

void symbols_leave_reading(struct symbols *symbols, const struct errands *errands)
{
	symbols->leave_reading = true;
	symbols->errands = *errands;
}

void symbols_await(struct symbols *symbols, const struct errand *errand)
{
	symbols->pending = true;
	symbols->awaited |= !errand_is_late(errand);
}

const struct errands *symbols_errands(const struct symbols *symbols)
{
	return &symbols->errands;
}

bool symbols_were_awaited(struct symbols *symbols)
{
	bool awaited = symbols->awaited;

	symbols->awaited = false;
	return awaited;
}

void symbols_close(struct symbols_opened *opened)
{
	if (opened->root >= 0)
		close(opened->root);
	if (opened->fd >= 0)
		close(opened->fd);
	free(opened->path);
	*opened = (struct symbols_opened){ .fd = -1, .root = -1 };
}

int symbols_open(struct symbols *symbols, uint64_t mm_id, const struct frame *frame, struct symbols_opened *opened)
{
	const struct sampled *sampled = sampled_get(symbols, frame->file);

	if (frame->file)
		return sampled ? sampled_open(sampled, opened) : -ENOENT;
	return mapped_open(map_get(&symbols->spaces, mm_id), frame->address, opened);
}

int symbols_read_opened(struct symbols *symbols, const struct symbols_opened *opened, uint64_t key, struct file **file)
{
	const struct elf_source source = { .fd = opened->fd, .bytes = opened->bytes };
	int error = file_read(file, &source, opened->path, opened->root, symbols->most_bytes);

	if (error)
		symbols->files_failed++;
	else
		cache_put(&symbols->cache, key, *file);
	return error;
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
	const char *function = jit_find(symbols, mm_id, mappings, frame->address, &start);

	if (function) {
		frame->function = names_function(&symbols->names, function, false);
		frame->function_offset = frame->function ? frame->address - start : 0;
	}
}

/*
 * Addresses lie in the instruction that was executing, so there is nothing to take off or add. But no call leads to where
 * signal handlers return to, and the byte before that is nobody's.
 */
static const char *find_function(const struct file *file, uint64_t address, uint64_t *start)
{
	const char *function = table_find(&file->table, address, start);

	if (!function) {
		function = table_find(&file->table, address + 1, start);
		if (function && (*start != address + 1 || !strstr(function, "restore_rt")))
			function = NULL;
	}
	return function;
}

static void set_build_id(struct symbols *symbols, struct frame *frame, const uint8_t *build_id, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * ELF_BUILD_ID_MOST];

	for (size_t i = 0; i < bytes; i++) {
		text[2 * i] = digits[build_id[i] >> 4];
		text[2 * i + 1] = digits[build_id[i] & 15];
	}
	if (bytes)
		frame->build_id = names_build_id(&symbols->names, text, 2 * bytes);
}

/* offset: in the file. */
static void name_in_file(struct symbols *symbols, const struct file *file, uint64_t offset, struct frame *frame)
{
	const char *function;
	uint64_t start;

	frame->kind = FRAME_NATIVE;
	frame->object_address = offset;
	if (file)
		set_build_id(symbols, frame, file->build_id, file->build_id_bytes);
	if (!file || !elf_address_of(file->segments, file->segment_count, offset, &frame->object_address))
		return;
	function = find_function(file, frame->object_address, &start);
	if (function)
		frame->function = names_function(&symbols->names, function, table_is_folded(&file->table, start));
	if (frame->function)
		frame->function_offset = frame->object_address < start ? 0 : frame->object_address - start;
}

static void name_sampled(struct symbols *symbols, struct frame *frame)
{
	struct sampled *sampled = sampled_get(symbols, frame->file);
	const char *path = sampled ? sampled->file.path : "";

	if (path[0])
		frame->object = names_object(&symbols->names, path, strlen(path));
	if (sampled)
		set_build_id(symbols, frame, sampled->file.build_id, sampled->file.build_id_bytes);
	name_in_file(symbols, sampled ? sampled_file(symbols, sampled) : NULL, frame->address, frame);
}

static void name_mapped(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings,
			const struct mapping *mapping, struct frame *frame)
{
	struct object *object = mapping->object;
	uint64_t offset = frame->address - mapping->start + mapping->offset;
	struct file *file = mapped_file(symbols, mappings, mapping);

	if (is_code_without_file(object)) {
		frame->kind = FRAME_ANONYMOUS;
		name_compiled(symbols, mm_id, mappings, frame);
		return;
	}
	frame->object = names_object(&symbols->names, object->path, object->name_bytes);
	name_in_file(symbols, file, offset, frame);
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
	frame->build_id = NULL;
	frame->function_offset = 0;
	if (!kernel && symbols->names.holder.process != mm_id)
		work_for(symbols, mm_id);
	if (kernel)
		name_kernel(symbols, frame);
	else if (frame->file)
		name_sampled(symbols, frame);
	else
		name_user(symbols, mm_id, frame);
	if (frame->function)
		symbols->frames_named++;
	else
		symbols->frames_unknown++;
}

static enum symbols_lack diagnose_read(const struct file *file, struct symbols_diagnosis *diagnosis)
{
	for (size_t i = 0; i < file->build_id_bytes; i++)
		sprintf(diagnosis->build_id + 2 * i, "%02x", file->build_id[i]);
	return file->whole ? SYMBOLS_LACK_FUNCTION : SYMBOLS_LACK_TABLE;
}

static enum symbols_lack diagnose_sampled(struct symbols *symbols, uint32_t number, struct symbols_diagnosis *diagnosis)
{
	struct sampled *sampled = sampled_get(symbols, number);
	const struct file *file = sampled ? sampled_file(symbols, sampled) : NULL;

	diagnosis->deleted = sampled && sampled->file.deleted;
	diagnosis->error = sampled ? sampled->file.error : -ENOENT;
	if (file)
		return diagnose_read(file, diagnosis);
	return sampled && sampled->useless ? SYMBOLS_LACK_ELF : SYMBOLS_LACK_FILE;
}

static enum symbols_lack diagnose_object(struct symbols *symbols, const struct mappings *mappings,
					 const struct mapping *mapping, struct symbols_diagnosis *diagnosis)
{
	const struct object *object = mapping->object;
	const struct file *file = mapped_file(symbols, mappings, mapping);

	diagnosis->deleted = object->path[object->name_bytes];
	diagnosis->error = object->error;
	if (!object_is_file(object))
		return SYMBOLS_LACK_FILE;
	if (file)
		return diagnose_read(file, diagnosis);
	return object->useless ? SYMBOLS_LACK_ELF : SYMBOLS_LACK_FILE;
}

static enum symbols_lack diagnose_mapped(struct symbols *symbols, uint64_t mm_id, const struct frame *frame,
					 struct symbols_diagnosis *diagnosis)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);
	const struct mapping *mapping = mappings ? mappings_find(mappings, frame->address) : NULL;

	if (!mappings)
		return SYMBOLS_LACK_MAPPINGS;
	if (!mapping)
		return SYMBOLS_LACK_MAPPING;
	if (frame->kind == FRAME_ANONYMOUS)
		return mappings->jit[0].key || mappings->jit[1].key ? SYMBOLS_LACK_COMPILED : SYMBOLS_LACK_MAP;
	return mapping->object ? diagnose_object(symbols, mappings, mapping, diagnosis) : SYMBOLS_LACK_NOTHING;
}

void symbols_diagnose(struct symbols *symbols, uint64_t mm_id, const struct frame *frame,
		      struct symbols_diagnosis *diagnosis)
{
	*diagnosis = (struct symbols_diagnosis){ .lack = SYMBOLS_LACK_NOTHING };
	if (frame->function)
		return;
	if (frame->kind == FRAME_KERNEL)
		diagnosis->lack = SYMBOLS_LACK_KERNEL;
	else if (frame->file)
		diagnosis->lack = diagnose_sampled(symbols, frame->file, diagnosis);
	else
		diagnosis->lack = diagnose_mapped(symbols, mm_id, frame, diagnosis);
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
		file = mapped_file(symbols, mappings, mapping);
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
		symbols->pending = false;
		mappings->runtime = find_runtime(symbols, mappings);
		mappings->runtime_known = !symbols->pending;
	}
	return mappings->runtime;
}

const char *symbols_known_runtime(const struct symbols *symbols, uint64_t mm_id)
{
	const struct mappings *mappings = map_get(&symbols->spaces, mm_id);

	return mappings ? mappings->runtime : NULL;
}

void symbols_get_statistics(const struct symbols *symbols, struct symbols_statistics *statistics)
{
	*statistics = (struct symbols_statistics){
		.files = symbols->cache.files.used,
		.bytes = symbols->cache.bytes + table_bytes(&symbols->kernel.table) + symbols->names.pool.used,
		.frames_named = symbols->frames_named,
		.frames_unknown = symbols->frames_unknown,
		.files_failed = symbols->files_failed,
		.files_evicted = symbols->cache.evicted,
		.names_refused = symbols->names.pool.refused,
		.names_forgotten = symbols->names.forgotten,
		.refused_user = symbols->names.pool.last_refused.user,
	};
}
