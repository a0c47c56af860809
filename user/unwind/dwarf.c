// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "unwind/dwarf.h"

#define FORMAT		0x0f

uint64_t cursor_fixed(struct cursor *cursor, unsigned int bytes)
{
	uint64_t value = 0;

	if (cursor_left(cursor) < bytes) {
		cursor->broken = true;
		cursor->at = cursor->end;
		return 0;
	}
	memcpy(&value, cursor->at, bytes);
	cursor->at += bytes;
	return value;
}

uint64_t cursor_unsigned(struct cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0;; shift += 7) {
		uint8_t byte = (uint8_t)cursor_fixed(cursor, 1);

		if (shift > 63 ? byte & 0x7f : shift == 63 && (byte & 0x7e))
			cursor->broken = true;
		if (shift <= 63)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
}

int64_t cursor_signed(struct cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0;; shift += 7) {
		uint8_t byte = (uint8_t)cursor_fixed(cursor, 1);

		if (shift > 63)
			cursor->broken = true;
		else
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			if ((byte & 0x40) && shift < 57)
				value |= UINT64_MAX << (shift + 7);
			return (int64_t)value;
		}
	}
}

const char *cursor_string(struct cursor *cursor)
{
	const uint8_t *zero = memchr(cursor->at, 0, cursor_left(cursor));
	const char *string = (const char *)cursor->at;

	if (!zero) {
		cursor->broken = true;
		return "";
	}
	cursor->at = zero + 1;
	return string;
}

struct cursor cursor_part(struct cursor *cursor, uint64_t bytes)
{
	struct cursor part = { .at = cursor->at, .end = cursor->at };

	if (bytes > cursor_left(cursor)) {
		cursor->broken = true;
		part.broken = true;
		return part;
	}
	part.end += bytes;
	cursor->at += bytes;
	return part;
}

static uint64_t in_format(struct cursor *cursor, uint8_t format)
{
	switch (format) {
	case 0x0:
	case 0x4:
	case 0xc:
		return cursor_fixed(cursor, 8);
	case 0x1:
		return cursor_unsigned(cursor);
	case 0x2:
		return cursor_fixed(cursor, 2);
	case 0x3:
		return cursor_fixed(cursor, 4);
	case 0x9:
		return (uint64_t)cursor_signed(cursor);
	case 0xa:
		return (uint64_t)(int16_t)cursor_fixed(cursor, 2);
	case 0xb:
		return (uint64_t)(int32_t)cursor_fixed(cursor, 4);
	}
	cursor->broken = true;
	return 0;
}

uint64_t cursor_address(struct cursor *cursor, uint8_t encoding, const struct origin *origin)
{
	uint64_t here = origin->address + (uint64_t)(cursor->at - origin->start);
	uint64_t value;

	if (encoding == ENCODING_ALIGNED) {
		cursor_part(cursor, -here & 7);
		return cursor_fixed(cursor, 8);
	}
	value = in_format(cursor, encoding & FORMAT);
	switch (encoding & (ENCODING_RELATIVE | ENCODING_INDIRECT)) {
	case ENCODING_ABSOLUTE:
		return value;
	case ENCODING_PC:
		return value ? here + value : 0;	/* a discarded function stays one */
	case ENCODING_DATA:
		if (origin->data)
			return origin->data + value;
	}
	cursor->broken = true;
	return 0;
}
