/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads OTLP metrics as protobuf with nothing but the field numbers of opentelemetry-proto, and tells what is in them as lines of
 * text.
 */
#ifndef KTALLY_METRICS_LINES_H
#define KTALLY_METRICS_LINES_H

#include <inttypes.h>

#include "base/buffer.h"
#include "check.h"

struct field {
	const uint8_t *at, *end;	/* what comes after it, within the message */
	unsigned int number;
	uint64_t value;			/* varint, fixed64 */
	const uint8_t *data;		/* bytes, else NULL */
	size_t bytes;
};

static bool malformed;

static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	malformed = true;
	return 0;
}

static bool next_field(struct field *field)
{
	uint64_t tag;

	if (field->at >= field->end)
		return false;
	tag = read_varint(&field->at, field->end);
	*field = (struct field){ .at = field->at, .end = field->end, .number = (unsigned int)(tag >> 3) };
	switch (tag & 7) {
	case 0:
		field->value = read_varint(&field->at, field->end);
		return !malformed;
	case 1:
		if (field->end - field->at < 8)
			break;
		memcpy(&field->value, field->at, 8);
		field->at += 8;
		return true;
	case 2:
		field->bytes = read_varint(&field->at, field->end);
		if (malformed || field->bytes > (size_t)(field->end - field->at))
			break;
		field->data = field->at;
		field->at += field->bytes;
		return true;
	}
	malformed = true;
	return false;
}

#define for_each_field(cursor, message, size)	\
	for (*(cursor) = (struct field){ .at = (message), .end = (message) + (size) }; next_field(cursor);)

/* ---- a request as lines: "process metric unit temporality monotonic {key=value,...} start end value" ---- */

static void read_attribute(struct buffer *text, const uint8_t *data, size_t bytes)
{
	struct field field, inner;

	for_each_field(&field, data, bytes) {
		if (field.number == 1)
			buffer_format(text, "%.*s=", (int)field.bytes, field.data);
		else if (field.number == 2)
			for_each_field(&inner, field.data, field.bytes)
				if (inner.number == 1)
					buffer_format(text, "%.*s,", (int)inner.bytes, inner.data);
	}
}

static void read_point(struct buffer *lines, const char *prefix, const uint8_t *data, size_t bytes)
{
	struct buffer attributes = { 0 };
	uint64_t start = 0, end = 0;
	struct field field;
	char value[64] = "none";
	double seconds;

	buffer_string(&attributes, "");
	for_each_field(&field, data, bytes) {
		if (field.number == 2)
			start = field.value;
		else if (field.number == 3)
			end = field.value;
		else if (field.number == 7)
			read_attribute(&attributes, field.data, field.bytes);
		else if (field.number == 6)
			snprintf(value, sizeof(value), "%" PRId64, (int64_t)field.value);
		else if (field.number == 4) {
			memcpy(&seconds, &field.value, sizeof(seconds));
			snprintf(value, sizeof(value), "%.9f", seconds);
		}
	}
	buffer_format(lines, "%s {%s} %" PRIu64 " %" PRIu64 " %s\n", prefix, attributes.data, start, end, value);
	buffer_free(&attributes);
}

static void read_metric(struct buffer *lines, const char *process, const uint8_t *data, size_t bytes)
{
	struct field field = { 0 }, sum = { 0 }, name = { 0 }, unit = { 0 }, inner;
	unsigned int temporality = 0, monotonic = 0;
	char prefix[512];

	for_each_field(&field, data, bytes) {
		if (field.number == 1)
			name = field;
		else if (field.number == 3)
			unit = field;
		else if (field.number == 7)
			sum = field;
	}
	for_each_field(&inner, sum.data, sum.bytes) {
		if (inner.number == 2)
			temporality = (unsigned int)inner.value;
		else if (inner.number == 3)
			monotonic = (unsigned int)inner.value;
	}
	snprintf(prefix, sizeof(prefix), "%s %.*s %.*s %u %u", process, (int)name.bytes, name.data, (int)unit.bytes, unit.data,
		 temporality, monotonic);
	for_each_field(&inner, sum.data, sum.bytes)
		if (inner.number == 1)
			read_point(lines, prefix, inner.data, inner.bytes);
}

/* `common` is what the last resource says of itself. */
static void read_resource(struct buffer *lines, struct buffer *common, const uint8_t *data, size_t bytes)
{
	struct buffer attributes = { 0 };
	struct field field, scope, inner;
	char name[300];
	const char *process;

	buffer_string(&attributes, "");
	for_each_field(&field, data, bytes)
		if (field.number == 1)
			for_each_field(&inner, field.data, field.bytes)
				if (inner.number == 1)
					read_attribute(&attributes, inner.data, inner.bytes);
	process = strstr(attributes.data, "process.executable.name=");
	if (process) {
		process += strlen("process.executable.name=");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(process, ","), process);
		process = name;
	}
	buffer_clear(common);
	buffer_string(common, attributes.data);
	for_each_field(&field, data, bytes)
		if (field.number == 2)
			for_each_field(&scope, field.data, field.bytes)
				if (scope.number == 2)
					read_metric(lines, process ? process : "-", scope.data, scope.bytes);
	buffer_free(&attributes);
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (text = strstr(text, what); text; text = strstr(text + strlen(what), what))
		count++;
	return count;
}

static char *lines_of(const struct buffer *request, char **common, size_t *resources)
{
	struct buffer lines = { 0 }, shared = { 0 };
	struct field field;

	malformed = false;
	*resources = 0;
	buffer_string(&lines, "");
	buffer_string(&shared, "");
	for_each_field(&field, (const uint8_t *)request->data, request->bytes) {
		malformed |= field.number != 1;
		read_resource(&lines, &shared, field.data, field.bytes);
		(*resources)++;
	}
	check(!malformed, "the request is well-formed");
	*common = shared.data;
	return lines.data;
}

#endif
