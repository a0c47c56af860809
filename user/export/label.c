// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "export/label.h"
#include "symbols/printable.h"

void label_text(struct buffer *buffer, const char *text, const char *separators)
{
	size_t start = buffer->bytes;

	buffer_string(buffer, text);
	printable(buffer->data + start, buffer->bytes - start);
	for (size_t i = start; separators && i < buffer->bytes; i++) {
		if (strchr(separators, buffer->data[i]))
			buffer->data[i] = ':';
	}
}

void label_padded(struct buffer *buffer, const char *text, size_t columns)
{
	static const char cut[] = "...";
	size_t start, length = 0, kept;

	start = kept = buffer->bytes;
	label_text(buffer, text, NULL);
	for (size_t i = start; i < buffer->bytes; i++) {
		if ((buffer->data[i] & 0xc0) == 0x80)
			continue;
		if (columns >= strlen(cut) && length == columns - strlen(cut))
			kept = i;
		length++;
	}
	if (length > columns) {
		buffer->bytes = kept;
		buffer_string(buffer, cut);
		length = columns;
	}
	for (; length < columns; length++)
		buffer_append(buffer, " ", 1);
}

const char *label_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void label_frame(struct buffer *buffer, const struct frame *frame, bool addresses, const char *separators)
{
	const char *object = frame->object;
	bool bracketed;

	if (frame->function && *frame->function) {
		label_text(buffer, frame->function, separators);
		return;
	}
	if (!object) {
		buffer_string(buffer, frame->kind == FRAME_ANONYMOUS ? "[anonymous]" : "[unknown]");
		return;
	}
	object = label_base_name(object);
	bracketed = *object == '[' && object[strlen(object) - 1] == ']';
	buffer_append(buffer, "[", bracketed ? 0 : 1);
	label_text(buffer, object, separators);
	if (bracketed)
		buffer->data[--buffer->bytes] = '\0';
	if (addresses)
		buffer_format(buffer, "+0x%" PRIx64,
			      frame->kind == FRAME_KERNEL ? frame->address : frame->object_address);
	buffer_append(buffer, "]", 1);
}
