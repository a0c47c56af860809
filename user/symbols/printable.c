// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>

#include "base/map.h"
#include "symbols/printable.h"

/* Bytes of the printable character that begins here, 0 if none does. */
static size_t character(const unsigned char *at, size_t left)
{
	/* By the number of bytes: shorter forms exist below; 0x80 to 0x9f are controls. */
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	uint32_t code;
	size_t bytes;

	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7f;
	bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc0 || at[0] > 0xf4 || bytes > left)
		return 0;
	code = at[0] & (0xff >> (bytes + 1));
	for (size_t i = 1; i < bytes; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return bytes;
}

void printable(char *string, size_t bytes)
{
	for (size_t i = 0; i < bytes;) {
		size_t whole = character((unsigned char *)string + i, bytes - i);

		if (!whole)
			string[i++] = '?';
		else
			i += whole;
	}
}

#define INTERNED_BYTES_MOST	4096

static size_t copy_printable(char *copy, const char *string, size_t bytes)
{
	bytes = strnlen(string, bytes < INTERNED_BYTES_MOST ? bytes : INTERNED_BYTES_MOST);
	memcpy(copy, string, bytes);
	printable(copy, bytes);
	return bytes;
}

const char *intern_printable(const char *string, size_t bytes)
{
	char copy[INTERNED_BYTES_MOST];

	return intern_bytes(copy, copy_printable(copy, string, bytes));
}

const char *intern_passing_printable(const char *string, size_t bytes)
{
	char copy[INTERNED_BYTES_MOST];

	return intern_passing(copy, copy_printable(copy, string, bytes));
}
