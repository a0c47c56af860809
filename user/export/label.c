// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "export/label.h"

#define UNPRINTABLE	"?"

/* Bytes of the character that the text starts with, if it can be printed as it is; 0 if not. */
static size_t printable(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	unsigned int code, lowest;
	size_t more;

	if (*byte < 0x80)
		return *byte >= ' ' && *byte != 0x7f;
	if (*byte < 0xc0 || *byte > 0xf4)
		return 0;
	more = *byte < 0xe0 ? 1 : *byte < 0xf0 ? 2 : 3;
	lowest = more == 1 ? 0xa0 : more == 2 ? 0x800 : 0x10000;	/* no overlong forms; below 0xa0 are control characters */
	code = *byte & (0x3f >> more);
	for (size_t i = 1; i <= more; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < lowest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
	    code == 0xfeff)
		return 0;	/* line separators, and what makes text invisible or run backwards */
	return more + 1;
}

void label_text(struct buffer *buffer, const char *text, const char *separators)
{
	while (*text) {
		size_t bytes = printable(text);

		if (!bytes)
			buffer_append(buffer, UNPRINTABLE, 1);
		else if (separators && strchr(separators, *text))
			buffer_append(buffer, ":", 1);
		else
			buffer_append(buffer, text, bytes);
		text += bytes ? bytes : 1;
	}
}

void label_padded(struct buffer *buffer, const char *text, size_t columns)
{
	static const char cut[] = "...";
	size_t start, length = 0, kept;

	buffer_append(buffer, "", 0);
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

	if (frame->function) {
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
		buffer_format(buffer, "+0x%" PRIx64, frame->kind == FRAME_KERNEL ? frame->address : frame->object_address);
	buffer_append(buffer, "]", 1);
}
