// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * profile.proto of github.com/google/pprof, gzipped, in one pass. The fields of a protobuf message may come in any
 * order, so strings, mappings, functions and locations are written when a sample first needs them, and only their
 * numbers are kept: a library that builds the message in memory first would need it all twice, and there can be 100 000
 * stacks.
 *
 * Addresses are those of the file's own symbol table, the same in every process and run. pprof has a convention for
 * that, a mapping from 0 to the end of the address space: then `-disasm` and `-list` work, and profiles of different
 * runs compare (`-diff_base`). Every mapping says that its functions are known, so that pprof does not go looking for
 * symbols in whatever file of that name it finds. A frame whose function is not known is named after its object,
 * "[libfoo.so]", with its address: `-top` adds those of an object up, `-addresses` takes them apart, and readers that
 * show only functions do not lose the frame.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/message.h"
#include "export/cells.h"
#include "export/export.h"
#include "export/label.h"
#include "export/output.h"
#include "export/protobuf.h"

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9,
	PROFILE_DURATION = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,

	VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT = 2,
	SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3,
	LABEL_KEY = 1, LABEL_STRING = 2, LABEL_NUMBER = 3,
	MAPPING_ID = 1, MAPPING_START = 2, MAPPING_LIMIT = 3, MAPPING_FILE = 5, MAPPING_BUILD_ID = 6, MAPPING_HAS_FUNCTIONS = 7,
	LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_ADDRESS = 3, LOCATION_LINE = 4,
	LINE_FUNCTION = 1, LINE_LINE = 2,
	FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3, FUNCTION_FILE = 4,
};

/* Compressed in pieces of about this size. */
#define PLAIN_BYTES	65536

struct writer {
	struct output output;
	const struct profile *profile;
	struct cell_categories categories;
	z_stream gzip;
	struct buffer plain;		/* fields of the profile that are not compressed yet */
	struct map strings;		/* interned string -> its number and one */
	struct map mappings;		/* numbers of the object's name and build id -> id */
	struct map functions;		/* hash of what tells it apart -> struct function */
	struct map locations;		/* hash -> struct location */
	uint64_t string_count, mapping_count, function_count, location_count;
};

struct location {
	uint64_t id, address;
	const char *object, *build_id, *function;	/* as in the frame: interned, so equal pointers are equal names */
	const struct source_line *source;
};

struct function {
	uint64_t id, name, file, mapping;
};

static void compress_plain(struct writer *writer, int flush)
{
	unsigned char packed[16384];
	int status;

	writer->gzip.next_in = (unsigned char *)writer->plain.data;
	writer->gzip.avail_in = (unsigned int)writer->plain.bytes;
	do {
		writer->gzip.next_out = packed;
		writer->gzip.avail_out = sizeof(packed);
		status = deflate(&writer->gzip, flush);
		output_write(&writer->output, packed, sizeof(packed) - writer->gzip.avail_out);
	} while (writer->gzip.avail_out == 0 || (flush == Z_FINISH && status == Z_OK));
	buffer_clear(&writer->plain);
}

static uint64_t string_number(struct writer *writer, const char *string)
{
	const char *interned = intern(string);
	uint64_t number = (uintptr_t)map_get(&writer->strings, (uintptr_t)interned);

	if (!number) {
		number = ++writer->string_count;
		map_put(&writer->strings, (uintptr_t)interned, (void *)(uintptr_t)number);
		protobuf_bytes(&writer->plain, PROFILE_STRING, string, strlen(string));
	}
	return number - 1;
}

/* The same for a name that anybody may have chosen: a string of a protobuf has to be UTF-8. */
static uint64_t name_number(struct writer *writer, const char *name)
{
	struct buffer clean = { 0 };
	uint64_t number;

	label_text(&clean, name, NULL);
	number = string_number(writer, clean.data);
	buffer_free(&clean);
	return number;
}

/*
 * Number 1 is what is in no object, and has no name. pprof takes the first mapping for the program that was profiled
 * and puts its name above its reports; a profile of a whole host has no such program.
 */
static uint64_t mapping_id(struct writer *writer, const char *object, const char *build_id)
{
	struct buffer message = { 0 };
	uint64_t file, build = build_id ? string_number(writer, build_id) : 0, key, id;

	if (!object)
		file = string_number(writer, "");
	else
		file = strcmp(object, "[kernel]") ? name_number(writer, object)
						  : string_number(writer, "[kernel.kallsyms]");
	key = file << 32 | build;
	id = (uintptr_t)map_get(&writer->mappings, key);
	if (id)
		return id;
	id = ++writer->mapping_count;
	map_put(&writer->mappings, key, (void *)(uintptr_t)id);
	protobuf_integer(&message, MAPPING_ID, id);
	protobuf_integer(&message, MAPPING_LIMIT, UINT64_MAX);
	protobuf_integer(&message, MAPPING_FILE, file);
	protobuf_integer(&message, MAPPING_BUILD_ID, build);
	protobuf_integer(&message, MAPPING_HAS_FUNCTIONS, true);
	protobuf_message(&writer->plain, PROFILE_MAPPING, &message);
	buffer_free(&message);
	return id;
}

static uint64_t function_id(struct writer *writer, uint64_t mapping, const struct frame *frame)
{
	const struct source_line *source = frame->source;
	uint64_t file = source && source->file ? string_number(writer, source->file) : 0, name, key;
	struct function *function;
	struct buffer text = { 0 };

	if (source)
		buffer_string(&text, source->function);
	else
		label_frame(&text, frame, false, NULL);
	name = string_number(writer, text.data);
	key = hash_words(hash_words(name, file), mapping);
	while ((function = map_get(&writer->functions, key)) &&
	       (function->name != name || function->file != file || function->mapping != mapping))
		key++;
	if (!function) {
		function = memory_zeroed(1, sizeof(*function));
		*function = (struct function){ ++writer->function_count, name, file, mapping };
		map_put(&writer->functions, key, function);
		buffer_clear(&text);
		protobuf_integer(&text, FUNCTION_ID, function->id);
		protobuf_integer(&text, FUNCTION_NAME, name);
		protobuf_integer(&text, FUNCTION_SYSTEM_NAME, name);
		protobuf_integer(&text, FUNCTION_FILE, file);
		protobuf_message(&writer->plain, PROFILE_FUNCTION, &text);
	}
	buffer_free(&text);
	return function->id;
}

/* Functions that were inlined into each other are lines of one location. */
static void write_location(struct writer *writer, const struct location *location, const struct frame *frames, unsigned int count)
{
	struct buffer message = { 0 }, line = { 0 };
	uint64_t mapping = mapping_id(writer, frames->object, frames->build_id);

	protobuf_integer(&message, LOCATION_ID, location->id);
	protobuf_integer(&message, LOCATION_MAPPING, mapping);
	protobuf_integer(&message, LOCATION_ADDRESS, location->address);
	for (unsigned int i = 0; i < count; i++) {
		buffer_clear(&line);
		protobuf_integer(&line, LINE_FUNCTION, function_id(writer, mapping, &frames[i]));
		protobuf_integer(&line, LINE_LINE, frames[i].source ? frames[i].source->line : 0);
		protobuf_message(&message, LOCATION_LINE, &line);
	}
	protobuf_message(&writer->plain, PROFILE_LOCATION, &message);
	buffer_free(&line);
	buffer_free(&message);
}

static uint64_t location_id(struct writer *writer, const struct frame *frames, unsigned int count)
{
	uint64_t address = frames->kind == FRAME_NATIVE ? frames->object_address : frames->address;
	uint64_t key = hash_words(hash_words((uintptr_t)frames->function, (uintptr_t)frames->object), address);
	struct location *location;

	while ((location = map_get(&writer->locations, key)) &&
	       (location->address != address || location->object != frames->object || location->build_id != frames->build_id ||
		location->function != frames->function || location->source != frames->source))
		key++;
	if (!location) {
		location = memory_zeroed(1, sizeof(*location));
		*location = (struct location){
			++writer->location_count, address, frames->object, frames->build_id, frames->function, frames->source,
		};
		map_put(&writer->locations, key, location);
		write_location(writer, location, frames, count);
	}
	return location->id;
}

static void label_string(struct writer *writer, struct buffer *sample, const char *key, const char *value)
{
	struct buffer label = { 0 };

	if (!value)
		return;
	protobuf_integer(&label, LABEL_KEY, string_number(writer, key));
	protobuf_integer(&label, LABEL_STRING, name_number(writer, value));
	protobuf_message(sample, SAMPLE_LABEL, &label);
	buffer_free(&label);
}

static void label_number(struct writer *writer, struct buffer *sample, const char *key, uint64_t value)
{
	struct buffer label = { 0 };

	protobuf_integer(&label, LABEL_KEY, string_number(writer, key));
	protobuf_integer(&label, LABEL_NUMBER, value);
	protobuf_message(sample, SAMPLE_LABEL, &label);
	buffer_free(&label);
}

/* Whose time it is. */
static void label_owner(struct writer *writer, struct buffer *sample, const struct owner *owner)
{
	static const struct {
		enum owner_key key;
		const char *label;
	} labels[] = {
		{ OWNER_SERVICE, "service" }, { OWNER_UNIT, "unit" }, { OWNER_NAMESPACE, "namespace" }, { OWNER_POD_NAME, "pod" },
		{ OWNER_POD, "pod.uid" }, { OWNER_CONTAINER_NAME, "container.name" }, { OWNER_CONTAINER, "container" },
	};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		label_string(writer, sample, labels[i].label, owner->values[labels[i].key]);
}

/* A label may have several values. */
static void label_categories(struct writer *writer, struct buffer *sample, const struct profile_cell *cell)
{
	struct cell_categories *categories = &writer->categories;

	cell_categories(categories, writer->profile, cell);
	label_string(writer, sample, "category", categories->self);
	for (size_t i = 0; i < categories->count; i++)
		label_string(writer, sample, "categories", categories->inclusive[i]);
}

static void write_sample(struct writer *writer, const struct profile_cell *cell)
{
	const struct stack *stack = cell->stack;
	struct buffer sample = { 0 }, packed = { 0 };

	for (unsigned int i = 0, count; i < (unsigned int)stack->kernel_frames + stack->user_frames; i += count) {
		count = stack_inlined(stack, i);
		protobuf_varint(&packed, location_id(writer, &stack->frames[i], count));
	}
	if (packed.bytes)
		protobuf_message(&sample, SAMPLE_LOCATION, &packed);
	buffer_clear(&packed);
	protobuf_varint(&packed, cell->samples);
	protobuf_varint(&packed, cell->weight);
	protobuf_message(&sample, SAMPLE_VALUE, &packed);
	label_string(writer, &sample, "process", cell->task->process_name);
	label_number(writer, &sample, "pid", cell->task->pid);
	label_string(writer, &sample, "thread", cell->task->comm);
	label_number(writer, &sample, "tid", cell->task->tid);
	label_owner(writer, &sample, cell->task->owner);
	label_string(writer, &sample, "area", stack->class.area);
	label_categories(writer, &sample, cell);
	label_string(writer, &sample, "cause", cell->cause);
	label_string(writer, &sample, "syscall", stack->class.syscall_name);
	protobuf_message(&writer->plain, PROFILE_SAMPLE, &sample);
	buffer_free(&packed);
	buffer_free(&sample);
}

static void write_value_type(struct writer *writer, unsigned int field, const char *type, const char *unit)
{
	struct buffer message = { 0 };

	protobuf_integer(&message, VALUE_TYPE_TYPE, string_number(writer, type));
	protobuf_integer(&message, VALUE_TYPE_UNIT, string_number(writer, unit));
	protobuf_message(&writer->plain, field, &message);
	buffer_free(&message);
}

/* Shown by `pprof -comments`: where this is from, and what is not in it. */
static void write_comments(struct writer *writer, const struct profile *profile, const struct export_host *host)
{
	uint64_t lost = profile->lost[KTALLY_LOST_FULL].count + profile->lost[KTALLY_LOST_BUSY].count;
	struct buffer text = { 0 };

	buffer_format(&text, "ktally on %s, Linux %s", host->name ? host->name : "an unknown host",
		      host->release ? host->release : "?");
	protobuf_integer(&writer->plain, PROFILE_COMMENT, name_number(writer, text.data));
	buffer_clear(&text);
	buffer_format(&text,
		      "%u samples per second and CPU; lost: %" PRIu64 "; without a known task or stack: %" PRIu64,
		      host->rate, lost, profile->orphans);
	protobuf_integer(&writer->plain, PROFILE_COMMENT, string_number(writer, text.data));
	buffer_free(&text);
}

/* Waits have no period. */
static void write_head(struct writer *writer, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	const char *time = sources == KTALLY_SOURCE_ONCPU ? "cpu" : sources == KTALLY_SOURCE_OFFCPU ? "offcpu" : "wall";

	string_number(writer, "");
	write_value_type(writer, PROFILE_SAMPLE_TYPE, sources == KTALLY_SOURCE_OFFCPU ? "waits" : "samples", "count");
	write_value_type(writer, PROFILE_SAMPLE_TYPE, time, "nanoseconds");
	protobuf_integer(&writer->plain, PROFILE_DEFAULT_SAMPLE_TYPE, string_number(writer, time));
	if (sources == KTALLY_SOURCE_ONCPU) {
		write_value_type(writer, PROFILE_PERIOD_TYPE, time, "nanoseconds");
		protobuf_integer(&writer->plain, PROFILE_PERIOD, host->rate ? 1000000000 / host->rate : 0);
	}
	protobuf_integer(&writer->plain, PROFILE_TIME, export_realtime(host, profile->first_time));
	protobuf_integer(&writer->plain, PROFILE_DURATION, profile->last_time - profile->first_time);
	write_comments(writer, profile, host);
	mapping_id(writer, NULL, NULL);
}

int export_pprof(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	struct writer writer = { .output.file = file, .profile = profile };
	const struct profile_cell **cells;
	size_t count;

	/* 16 + 15: gzip, the largest window. */
	if (deflateInit2(&writer.gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	write_head(&writer, profile, sources, host);
	cells = cells_sorted(profile, sources, &count);
	for (size_t i = 0; i < count && !writer.output.error; i++) {
		write_sample(&writer, cells[i]);
		if (writer.plain.bytes >= PLAIN_BYTES)
			compress_plain(&writer, Z_NO_FLUSH);
	}
	compress_plain(&writer, Z_FINISH);
	free(cells);
	free(writer.categories.inclusive);
	deflateEnd(&writer.gzip);
	buffer_free(&writer.plain);
	map_free_values(&writer.locations);
	map_free_values(&writer.functions);
	map_free(&writer.strings);
	map_free(&writer.mappings);
	return output_finish(&writer.output);
}
