/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format of protocol buffers, written straight into a buffer: all that a streaming writer needs of it. A
 * message within a message is built in a buffer of its own and appended with its length.
 */
#ifndef KTALLY_PROTOBUF_H
#define KTALLY_PROTOBUF_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED = 1,
	PROTOBUF_BYTES = 2,
};

static inline void protobuf_varint(struct buffer *buffer, uint64_t value)
{
	unsigned char bytes[10];
	size_t count = 0;

	do {
		bytes[count] = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		value >>= 7;
		count++;
	} while (value);
	buffer_append(buffer, bytes, count);
}

/* An integer or boolean field. Zero is what a reader assumes of a field that is not there. */
static inline void protobuf_integer(struct buffer *buffer, unsigned int field, uint64_t value)
{
	if (!value)
		return;
	protobuf_varint(buffer, field << 3 | PROTOBUF_VARINT);
	protobuf_varint(buffer, value);
}

/* A fixed64 field. */
static inline void protobuf_fixed(struct buffer *buffer, unsigned int field, uint64_t value)
{
	const uint64_t little = htole64(value);

	if (!value)
		return;
	protobuf_varint(buffer, field << 3 | PROTOBUF_FIXED);
	buffer_append(buffer, &little, sizeof(little));
}

/* A string, a message or a packed array. */
static inline void protobuf_bytes(struct buffer *buffer, unsigned int field, const void *data, size_t bytes)
{
	protobuf_varint(buffer, field << 3 | PROTOBUF_BYTES);
	protobuf_varint(buffer, bytes);
	buffer_append(buffer, data, bytes);
}

static inline void protobuf_message(struct buffer *buffer, unsigned int field, const struct buffer *message)
{
	protobuf_bytes(buffer, field, message->data, message->bytes);
}

#endif
