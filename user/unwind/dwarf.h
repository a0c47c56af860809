/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what DWARF is made of: numbers of variable length, and addresses in eight or more encodings. */
#ifndef KTALLY_UNWIND_DWARF_H
#define KTALLY_UNWIND_DWARF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading past the end gives zeros and sets `broken`, which is enough to ask for once, when all is read. */
struct cursor {
	const uint8_t *at, *end;
	bool broken;
};

static inline struct cursor cursor_over(const void *data, size_t bytes)
{
	return (struct cursor){ .at = data, .end = (const uint8_t *)data + bytes };
}

static inline size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

uint64_t cursor_fixed(struct cursor *cursor, unsigned int bytes);	/* little-endian, 1, 2, 4 or 8 bytes */
uint64_t cursor_unsigned(struct cursor *cursor);			/* LEB128; broken if it does not fit 64 bits */
int64_t cursor_signed(struct cursor *cursor);
const char *cursor_string(struct cursor *cursor);			/* "" if it does not end */
struct cursor cursor_part(struct cursor *cursor, uint64_t bytes);	/* steps over so many and gives them */

#define ENCODING_OMITTED	0xff
#define ENCODING_ABSOLUTE	0
#define ENCODING_RELATIVE	0x70	/* relative to what */
#define ENCODING_PC		0x10
#define ENCODING_DATA		0x30
#define ENCODING_ALIGNED	0x50
#define ENCODING_INDIRECT	0x80

/* What encoded addresses count from. */
struct origin {
	const uint8_t *start;		/* where the section is in memory ... */
	uint64_t address;		/* ... and as linked */
	uint64_t data;			/* of ENCODING_DATA; 0: none */
};

/*
 * An address in one of the encodings of .eh_frame. Indirect ones are refused, they need a running process; so are those
 * relative to a function or to the text, which nothing writes.
 */
uint64_t cursor_address(struct cursor *cursor, uint8_t encoding, const struct origin *origin);

#endif
