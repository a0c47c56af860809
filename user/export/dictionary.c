// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each location has the attribute profile.frame.type: "kernel" or "native". Addresses are those of the file's own symbol table;
 * kernel addresses, and those of code in no file, are where it ran.
 *
 * A mapping is there for code whose file has a build id, and for no other: one without an identity is against the rules. A
 * frame with neither a function nor a mapping is named after its object, "[libfoo.so.1]", so that it is not lost.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/message.h"
#include "export/dictionary.h"
#include "export/label.h"
#include "export/protobuf.h"

enum {
	MAPPING_LIMIT = 2, MAPPING_FILE = 4, MAPPING_ATTRIBUTES = 5,
	LOCATION_MAPPING = 1, LOCATION_ADDRESS = 2, LOCATION_LINES = 3, LOCATION_ATTRIBUTES = 4,
	LINE_FUNCTION = 1, LINE_LINE = 2,
	FUNCTION_NAME = 1, FUNCTION_FILE = 3,
	LINK_TRACE = 1, LINK_SPAN = 2,
	STACK_LOCATIONS = 1,
	ATTRIBUTE_KEY = 1, ATTRIBUTE_VALUE = 2,
	ANY_VALUE_STRING = 1, ANY_VALUE_INTEGER = 3, ANY_VALUE_ARRAY = 5,
	ARRAY_VALUES = 1,
};

/* Where in the message the bytes of an entry are. */
struct dictionary_entry {
	size_t start, bytes;
};

/* The number of the entry, which is added if it is not there. */
static uint32_t add(struct dictionary *dictionary, enum dictionary_table table, const void *data, size_t bytes)
{
	typeof(dictionary->tables[0]) *entries = &dictionary->tables[table];
	uint64_t key = hash_bytes(data, bytes, dictionary->seed);
	size_t number;

	while ((number = (uintptr_t)map_get(&entries->numbers, key))) {
		const struct dictionary_entry *entry = &entries->entries[number - 1];

		if (entry->bytes == bytes && (!bytes || !memcmp(dictionary->message.data + entry->start, data, bytes)))
			return (uint32_t)number - 1;
		key++;
	}
	if (entries->count == entries->room) {
		entries->room = entries->room ? entries->room * 2 : 64;
		entries->entries = memory_resized(entries->entries, entries->room, sizeof(*entries->entries));
	}
	protobuf_bytes(&dictionary->message, table, data, bytes);
	entries->entries[entries->count++] = (struct dictionary_entry){ dictionary->message.bytes - bytes, bytes };
	map_put(&entries->numbers, key, (void *)(uintptr_t)entries->count);
	return (uint32_t)entries->count - 1;
}

static uint32_t add_message(struct dictionary *dictionary, enum dictionary_table table, const struct buffer *message)
{
	return add(dictionary, table, message->data, message->bytes);
}

/* A link that is not set has its identifiers, all zero: some readers do not take empty ones. */
static void add_zero_link(struct dictionary *dictionary)
{
	static const unsigned char zeros[16];
	struct buffer link = { 0 };

	protobuf_bytes(&link, LINK_TRACE, zeros, 16);
	protobuf_bytes(&link, LINK_SPAN, zeros, 8);
	add_message(dictionary, DICTIONARY_LINK, &link);
	buffer_free(&link);
}

void dictionary_init(struct dictionary *dictionary)
{
	*dictionary = (struct dictionary){ 0 };
	/* Names come from files, and whoever wrote them may want them all to collide. */
	memcpy(&dictionary->seed, (const void *)getauxval(AT_RANDOM), sizeof(dictionary->seed));
	for (enum dictionary_table table = DICTIONARY_MAPPING; table < DICTIONARY_TABLES; table++) {
		if (table == DICTIONARY_LINK)
			add_zero_link(dictionary);
		else
			add(dictionary, table, "", 0);
	}
}

void dictionary_free(struct dictionary *dictionary)
{
	map_free_values(&dictionary->frames);
	for (enum dictionary_table table = DICTIONARY_MAPPING; table < DICTIONARY_TABLES; table++) {
		map_free(&dictionary->tables[table].numbers);
		free(dictionary->tables[table].entries);
	}
	map_free(&dictionary->strings);
	map_free(&dictionary->stacks);
	buffer_free(&dictionary->message);
}

/* Names are anybody's, and strings of a protobuf have to be UTF-8. */
uint32_t dictionary_string(struct dictionary *dictionary, const char *string)
{
	const char *interned = intern(string);
	uintptr_t number = (uintptr_t)map_get(&dictionary->strings, (uintptr_t)interned);

	if (!number) {
		struct buffer clean = { 0 };

		label_text(&clean, string, NULL);
		number = (uintptr_t)add_message(dictionary, DICTIONARY_STRING, &clean) + 1;
		map_put(&dictionary->strings, (uintptr_t)interned, (void *)number);
		buffer_free(&clean);
	}
	return (uint32_t)number - 1;
}

/* ---- attributes ---- */

static void add_attribute(struct dictionary *dictionary, struct buffer *numbers, const char *key, const struct buffer *value)
{
	struct buffer attribute = { 0 };

	protobuf_integer(&attribute, ATTRIBUTE_KEY, dictionary_string(dictionary, key));
	protobuf_message(&attribute, ATTRIBUTE_VALUE, value);
	protobuf_varint(numbers, add_message(dictionary, DICTIONARY_ATTRIBUTE, &attribute));
	buffer_free(&attribute);
}

/* The text as it is, not by its number: collectors do not look up those within attributes. */
static void add_text(struct buffer *value, const char *text)
{
	struct buffer clean = { 0 };

	label_text(&clean, text, NULL);
	protobuf_message(value, ANY_VALUE_STRING, &clean);
	buffer_free(&clean);
}

void dictionary_text(struct dictionary *dictionary, struct buffer *numbers, const char *key, const char *text)
{
	struct buffer value = { 0 };

	if (!text || !*text)
		return;
	add_text(&value, text);
	add_attribute(dictionary, numbers, key, &value);
	buffer_free(&value);
}

void dictionary_texts(struct dictionary *dictionary, struct buffer *numbers, const char *key, const char *const *texts, size_t count)
{
	struct buffer item = { 0 }, array = { 0 }, value = { 0 };

	for (size_t i = 0; i < count; i++) {
		buffer_clear(&item);
		add_text(&item, texts[i]);
		protobuf_message(&array, ARRAY_VALUES, &item);
	}
	protobuf_message(&value, ANY_VALUE_ARRAY, &array);
	if (count)
		add_attribute(dictionary, numbers, key, &value);
	buffer_free(&value);
	buffer_free(&array);
	buffer_free(&item);
}

void dictionary_integer(struct dictionary *dictionary, struct buffer *numbers, const char *key, uint64_t integer)
{
	struct buffer value = { 0 };

	protobuf_varint(&value, ANY_VALUE_INTEGER << 3 | PROTOBUF_VARINT);	/* zero is a value too */
	protobuf_varint(&value, integer);
	add_attribute(dictionary, numbers, key, &value);
	buffer_free(&value);
}

/* ---- stacks ---- */

/* Addresses are those of the file, so the mapping begins at 0, and whatever the file's size is they are in it. */
static uint32_t mapping_number(struct dictionary *dictionary, const struct frame *frame)
{
	struct buffer mapping = { 0 }, attributes = { 0 };
	uint32_t number;

	if (!frame->object || !frame->build_id)
		return 0;
	protobuf_integer(&mapping, MAPPING_LIMIT, UINT64_MAX);
	protobuf_integer(&mapping, MAPPING_FILE, dictionary_string(dictionary, frame->object));
	dictionary_text(dictionary, &attributes, "process.executable.build_id.gnu", frame->build_id);
	protobuf_message(&mapping, MAPPING_ATTRIBUTES, &attributes);
	number = add_message(dictionary, DICTIONARY_MAPPING, &mapping);
	buffer_free(&attributes);
	buffer_free(&mapping);
	return number;
}

static bool is_named(const struct frame *frame)
{
	return frame->function && *frame->function;
}

static uint32_t function_number(struct dictionary *dictionary, const struct frame *frame)
{
	struct buffer function = { 0 }, name = { 0 };
	uint32_t number;

	if (is_named(frame)) {
		number = dictionary_string(dictionary, frame->source ? frame->source->function : frame->function);
	} else {
		label_frame(&name, frame, false, NULL);
		number = add_message(dictionary, DICTIONARY_STRING, &name);
	}
	protobuf_integer(&function, FUNCTION_NAME, number);
	if (frame->source && frame->source->file)
		protobuf_integer(&function, FUNCTION_FILE, dictionary_string(dictionary, frame->source->file));
	number = add_message(dictionary, DICTIONARY_FUNCTION, &function);
	buffer_free(&name);
	buffer_free(&function);
	return number;
}

/* Interned, so equal pointers are equal names. */
struct known_frame {
	uint64_t address;
	const char *function, *object, *build_id;
	const struct source_line *source;
	enum frame_kind kind;
	uint32_t location;
};

/* Functions that were inlined into each other are lines of one location, the innermost first. */
static uint32_t add_location(struct dictionary *dictionary, const struct frame *frame, unsigned int count, uint64_t address)
{
	struct buffer location = { 0 }, line = { 0 }, attributes = { 0 };
	uint32_t number, mapping = mapping_number(dictionary, frame);

	protobuf_integer(&location, LOCATION_MAPPING, mapping);
	protobuf_integer(&location, LOCATION_ADDRESS, address);
	for (unsigned int i = 0; i < count && (is_named(frame) || !mapping); i++) {
		buffer_clear(&line);
		protobuf_integer(&line, LINE_FUNCTION, function_number(dictionary, &frame[i]));
		protobuf_integer(&line, LINE_LINE, frame[i].source ? frame[i].source->line : 0);
		protobuf_message(&location, LOCATION_LINES, &line);
	}
	dictionary_text(dictionary, &attributes, "profile.frame.type", frame->kind == FRAME_KERNEL ? "kernel" : "native");
	protobuf_message(&location, LOCATION_ATTRIBUTES, &attributes);
	number = add_message(dictionary, DICTIONARY_LOCATION, &location);
	buffer_free(&attributes);
	buffer_free(&line);
	buffer_free(&location);
	return number;
}

/* The same few thousand frames are in all stacks: this is where the time goes. */
static uint32_t location_number(struct dictionary *dictionary, const struct frame *frame, unsigned int count)
{
	uint64_t address = frame->kind == FRAME_NATIVE ? frame->object_address : frame->address;
	uint64_t key = hash_words(hash_words((uintptr_t)frame->function, (uintptr_t)frame->object), address);
	struct known_frame *known;

	while ((known = map_get(&dictionary->frames, key)) &&
	       (known->address != address || known->function != frame->function || known->object != frame->object ||
		known->build_id != frame->build_id || known->source != frame->source || known->kind != frame->kind))
		key++;
	if (!known) {
		known = memory_zeroed(1, sizeof(*known));
		*known = (struct known_frame){
			address, frame->function, frame->object, frame->build_id, frame->source, frame->kind,
			add_location(dictionary, frame, count, address),
		};
		map_put(&dictionary->frames, key, known);
	}
	return known->location;
}

uint32_t dictionary_stack(struct dictionary *dictionary, const struct stack *stack)
{
	uintptr_t number = (uintptr_t)map_get(&dictionary->stacks, (uintptr_t)stack);
	struct buffer locations = { 0 }, message = { 0 };

	if (number)
		return (uint32_t)number - 1;
	for (unsigned int i = 0, count; i < (unsigned int)stack->kernel_frames + stack->user_frames; i += count) {
		count = stack_inlined(stack, i);
		protobuf_varint(&locations, location_number(dictionary, &stack->frames[i], count));
	}
	if (locations.bytes)
		protobuf_message(&message, STACK_LOCATIONS, &locations);
	number = (uintptr_t)add_message(dictionary, DICTIONARY_STACK, &message) + 1;
	map_put(&dictionary->stacks, (uintptr_t)stack, (void *)number);
	buffer_free(&message);
	buffer_free(&locations);
	return (uint32_t)number - 1;
}
