// SPDX-License-Identifier: GPL-2.0-or-later
/* From the events of libyaml, so that nothing is ever built of what is refused. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buffer.h"
#include "base/message.h"
#include "config/document.h"

#define BLOCK_BYTES	16384

struct document_block {
	struct document_block *next;
	size_t used, size;
	max_align_t data[];
};

/* A file on its way into a document. */
struct reading {
	struct document *document;
	yaml_parser_t parser;
	yaml_event_t event;		/* the latest one */
};

static void *memory(struct document *document, size_t bytes)
{
	struct document_block *block = document->blocks;

	bytes = (bytes + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (!block || block->size - block->used < bytes) {
		size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		block = memory_zeroed(1, sizeof(*block) + size);
		block->size = size;
		block->next = document->blocks;
		document->blocks = block;
	}
	block->used += bytes;
	return (char *)block->data + block->used - bytes;
}

static struct node *new_node(struct document *document, enum node_kind kind, size_t line)
{
	struct node *node = memory(document, sizeof(*node));

	node->kind = kind;
	node->line = (unsigned int)line;
	return node;
}

__attribute__((format(printf, 3, 0)))
static int refuse(const struct document *document, size_t line, const char *format, va_list arguments)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, arguments);
	message_error("%s:%zu: %s", document->path, line, text);
	return -EINVAL;
}

int document_refuse(const struct document *document, const struct node *node, const char *format, ...)
{
	va_list arguments;
	int error;

	va_start(arguments, format);
	error = refuse(document, node->line, format, arguments);
	va_end(arguments);
	return error;
}

static size_t line_of(const struct reading *reading)
{
	return reading->event.start_mark.line + 1;
}

__attribute__((format(printf, 2, 3)))
static int refuse_event(const struct reading *reading, const char *format, ...)
{
	va_list arguments;
	int error;

	va_start(arguments, format);
	error = refuse(reading->document, line_of(reading), format, arguments);
	va_end(arguments);
	return error;
}

/* The next event; the one before is gone. */
static int next(struct reading *reading)
{
	yaml_event_delete(&reading->event);
	memset(&reading->event, 0, sizeof(reading->event));
	if (yaml_parser_parse(&reading->parser, &reading->event))
		return 0;
	message_error("%s:%zu: this is not YAML: %s", reading->document->path, reading->parser.problem_mark.line + 1,
		      reading->parser.problem ? reading->parser.problem : "it cannot be understood");
	return -EINVAL;
}

static int read_text(struct reading *reading, const char **text)
{
	const char *value = (const char *)reading->event.data.scalar.value;
	size_t bytes = reading->event.data.scalar.length;
	char *copy;

	for (size_t i = 0; i < bytes; i++) {
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return refuse_event(reading, "this text has a line break or another control character in it");
	}
	copy = memory(reading->document, bytes + 1);
	memcpy(copy, value, bytes);
	*text = copy;
	return 0;
}

static int read_node(struct reading *reading, struct node **node, unsigned int depth);

static int read_list(struct reading *reading, struct node *list, unsigned int depth)
{
	struct node **end = &list->first;
	int error;

	while (!(error = next(reading)) && reading->event.type != YAML_SEQUENCE_END_EVENT) {
		error = read_node(reading, end, depth + 1);
		if (error)
			break;
		end = &(*end)->next;
	}
	return error;
}

static int read_item(struct reading *reading, const struct node *map, struct node **item, unsigned int depth)
{
	const struct node *other;
	const char *key;
	size_t line = line_of(reading);
	int error;

	if (reading->event.type != YAML_SCALAR_EVENT || reading->event.data.scalar.anchor || reading->event.data.scalar.tag)
		return refuse_event(reading, "a key must be a plain word");
	error = read_text(reading, &key);
	other = error ? NULL : document_find(map, key);
	if (other)
		return refuse_event(reading, "\"%s\" is here for a second time, the first is in line %u: put both into one", key,
				    other->line);
	if (!error)
		error = next(reading);
	if (!error)
		error = read_node(reading, item, depth + 1);
	if (error)
		return error;
	(*item)->key = key;
	if ((*item)->kind == NODE_TEXT)
		(*item)->line = (unsigned int)line;	/* an empty value is only noticed further down */
	return 0;
}

static int read_map(struct reading *reading, struct node *map, unsigned int depth)
{
	struct node **end = &map->first, *item;
	unsigned int count = 0;
	int error;

	while (!(error = next(reading)) && reading->event.type != YAML_MAPPING_END_EVENT) {
		if (count++ == DOCUMENT_KEYS_MOST)
			return refuse_event(reading, "more than %d keys in one place", DOCUMENT_KEYS_MOST);
		error = read_item(reading, map, &item, depth);
		if (error)
			break;
		*end = item;
		end = &item->next;
	}
	return error;
}

/* What the latest event begins. */
static int read_node(struct reading *reading, struct node **result, unsigned int depth)
{
	const yaml_event_t *event = &reading->event;
	struct node *node;

	if (depth > DOCUMENT_DEPTH_MOST)
		return refuse_event(reading, "lists and maps are more than %d deep within each other", DOCUMENT_DEPTH_MOST);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor || event->data.scalar.tag)
			break;
		*result = node = new_node(reading->document, NODE_TEXT, line_of(reading));
		return read_text(reading, &node->text);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
			break;
		*result = node = new_node(reading->document, NODE_LIST, line_of(reading));
		return read_list(reading, node, depth);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
			break;
		*result = node = new_node(reading->document, NODE_MAP, line_of(reading));
		return read_map(reading, node, depth);
	default:
		break;
	}
	return refuse_event(reading, "anchors (&), aliases (*) and tags (!) are not taken here: write it out, and put patterns "
			    "that begin with * into quotes");
}

static int read_document(struct reading *reading)
{
	struct document *document = reading->document;
	int error = next(reading);		/* the stream begins */

	if (!error)
		error = next(reading);		/* so does the document, if there is any */
	if (!error && reading->event.type == YAML_STREAM_END_EVENT) {
		document->root = new_node(document, NODE_MAP, 1);
		return 0;
	}
	if (!error)
		error = next(reading);
	if (!error)
		error = read_node(reading, &document->root, 0);
	if (!error && document->root->kind == NODE_TEXT && !*document->root->text)
		document->root->kind = NODE_MAP;
	if (!error && document->root->kind != NODE_MAP)
		error = document_refuse(document, document->root, "there must be lines of \"key: value\" here");
	if (!error)
		error = next(reading);		/* the document ends */
	if (!error)
		error = next(reading);
	if (!error && reading->event.type != YAML_STREAM_END_EVENT)
		error = refuse_event(reading, "a second document begins here: there must be one, without \"---\"");
	return error;
}

int document_parse(struct document **result, const char *path, const void *data, size_t bytes)
{
	struct reading reading = { .document = memory_zeroed(1, sizeof(*reading.document)) };
	int error;

	reading.document->path = path;
	if (!yaml_parser_initialize(&reading.parser))
		message_fatal(EXIT_FAILED, "out of memory");
	yaml_parser_set_input_string(&reading.parser, data, bytes);
	error = read_document(&reading);
	yaml_event_delete(&reading.event);
	yaml_parser_delete(&reading.parser);
	if (error) {
		document_free(reading.document);
		return error;
	}
	*result = reading.document;
	return 0;
}

int document_read(struct document **document, const char *path)
{
	struct buffer text = { 0 };
	int error = buffer_read_file(&text, path, DOCUMENT_BYTES_MOST);

	if (error == -EFBIG)
		message_error("%s: more than %d bytes are no configuration", path, DOCUMENT_BYTES_MOST);
	else if (error)
		message_error("cannot read %s: %s", path, strerror(-error));
	else
		error = document_parse(document, path, text.data ? text.data : "", text.bytes);
	buffer_free(&text);
	return error;
}

void document_free(struct document *document)
{
	if (!document)
		return;
	while (document->blocks) {
		struct document_block *block = document->blocks;

		document->blocks = block->next;
		free(block);
	}
	free(document);
}

const struct node *document_find(const struct node *map, const char *key)
{
	const struct node *item = map->first;

	while (item && strcmp(item->key, key))
		item = item->next;
	return item;
}
