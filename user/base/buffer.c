// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"

/* Room for `bytes` more and the terminating zero. */
static char *reserve(struct buffer *buffer, size_t bytes)
{
	size_t needed, capacity;

	if (__builtin_add_overflow(buffer->bytes, bytes, &needed) || __builtin_add_overflow(needed, 1, &needed))
		message_fatal(EXIT_FAILED, "a text of more than %zu bytes: out of memory", SIZE_MAX);
	if (needed > buffer->capacity) {
		capacity = buffer->capacity < SIZE_MAX / 2 ? buffer->capacity * 2 : SIZE_MAX;
		if (capacity < needed)
			capacity = needed;
		if (capacity < 64)
			capacity = 64;
		buffer->data = memory_resized(buffer->data, capacity, 1);
		buffer->capacity = capacity;
	}
	return buffer->data + buffer->bytes;
}

static void grown(struct buffer *buffer, size_t bytes)
{
	buffer->bytes += bytes;
	buffer->data[buffer->bytes] = '\0';
}

void buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
	char *room = reserve(buffer, bytes);

	if (bytes)
		memcpy(room, data, bytes);
	grown(buffer, bytes);
}

void buffer_string(struct buffer *buffer, const char *string)
{
	buffer_append(buffer, string, strlen(string));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	size_t room;
	int length;

	reserve(buffer, 64);
	room = buffer->capacity - buffer->bytes;
	va_start(arguments, format);
	length = vsnprintf(buffer->data + buffer->bytes, room, format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length >= room) {
		reserve(buffer, (size_t)length);
		va_start(arguments, format);
		length = vsnprintf(buffer->data + buffer->bytes, (size_t)length + 1, format, arguments);
		va_end(arguments);
	}
	if (length < 0)
		message_fatal(EXIT_FAILED, "cannot format \"%s\": %m", format);
	grown(buffer, (size_t)length);
}

/*
 * Bytes of the well-formed UTF-8 character at the start of a zero-terminated string, 0 if there is none (RFC 3629,
 * section 4).
 */
static size_t character_bytes(const unsigned char *text)
{
	unsigned char lowest = 0x80, highest = 0xbf;
	size_t more;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	more = text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
	if (text[0] == 0xe0)
		lowest = 0xa0;		/* overlong */
	else if (text[0] == 0xed)
		highest = 0x9f;		/* surrogates */
	else if (text[0] == 0xf0)
		lowest = 0x90;		/* overlong */
	else if (text[0] == 0xf4)
		highest = 0x8f;		/* past U+10FFFF */
	for (size_t i = 1; i <= more; i++) {
		if (text[i] < lowest || text[i] > highest)
			return 0;
		lowest = 0x80;
		highest = 0xbf;
	}
	return more + 1;
}

/* "</" and "<!" are escaped too, so that the text can stand in an HTML script element. */
void buffer_json_string(struct buffer *buffer, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;

	buffer_append(buffer, "\"", 1);
	while (*text) {
		size_t bytes = character_bytes(text);

		if (!bytes) {
			buffer_string(buffer, "\xef\xbf\xbd");
			bytes = 1;
		} else if (*text == '"' || *text == '\\') {
			buffer_append(buffer, "\\", 1);
			buffer_append(buffer, text, 1);
		} else if (*text == '\n') {
			buffer_string(buffer, "\\n");
		} else if (*text == '\t') {
			buffer_string(buffer, "\\t");
		} else if (*text < ' ' || *text == 0x7f || (*text == '<' && (text[1] == '/' || text[1] == '!'))) {
			buffer_format(buffer, "\\u%04x", *text);
		} else {
			buffer_append(buffer, text, bytes);
		}
		text += bytes;
	}
	buffer_append(buffer, "\"", 1);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->bytes = 0;
	if (buffer->data)
		buffer->data[0] = '\0';
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

int buffer_read_fd(struct buffer *buffer, int fd, size_t most)
{
	size_t start = buffer->bytes;
	int error = 0;

	for (;;) {
		size_t left = most - (buffer->bytes - start);
		size_t room = left < 65536 ? left + 1 : 65536;	/* one more than allowed: tells a file too long */
		ssize_t bytes = read(fd, reserve(buffer, room), room);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			error = -errno;
		else if ((size_t)bytes > left)
			error = -EFBIG;
		if (bytes <= 0 || error)
			break;
		grown(buffer, (size_t)bytes);
	}
	if (error)
		buffer->bytes = start;
	grown(buffer, 0);
	return error;
}

int buffer_read_file(struct buffer *buffer, const char *path, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = buffer_read_fd(buffer, fd, most);
	close(fd);
	return error;
}
