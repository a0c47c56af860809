/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part of a file that is read piece by piece, by somebody who mostly moves forward in it. Who goes to and fro, because a file makes him,
 * reads a piece each time: so no more is read than some times the part.
 */
#ifndef KTALLY_WINDOW_H
#define KTALLY_WINDOW_H

#include "symbols/elf.h"

#define WINDOW_BYTES	65536

struct window {
	const struct elf *elf;
	uint64_t offset, bytes;		/* of the part in the file */
	char *data;
	uint64_t start, filled;		/* in the part; in data */
	uint64_t left;			/* so many bytes may yet be read */
};

/* How much may be read of so many bytes. */
uint64_t window_most(uint64_t bytes);

void window_open(struct window *window, const struct elf *elf, uint64_t offset, uint64_t bytes);

/*
 * What is at a place in the part: *bytes of it, or fewer at its end; at most WINDOW_BYTES. NULL: nothing, or it cannot be
 * read, or too much was. Valid until the next call.
 */
const char *window_at(struct window *window, uint64_t at, size_t *bytes);
void window_close(struct window *window);

#endif
