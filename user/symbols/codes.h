/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that a just-in-time compiler made: anywhere in the address space, and where memory was used again the newest
 * one. They are added in the order in which they were made, and looked up in between.
 */
#ifndef KTALLY_CODES_H
#define KTALLY_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codes {
	struct code *list;		/* the first `settled` are sorted and do not overlap */
	size_t count, settled, capacity;
	char *names;
	size_t name_bytes, name_capacity;
	size_t most_bytes;		/* to be set before anything is added */
	uint32_t made;
	uint64_t refused;		/* for want of room */
};

void codes_add(struct codes *codes, uint64_t start, uint64_t bytes, const char *name, size_t name_bytes);

/* Looking up does it when it is needed; until then memory is not what it will be. */
void codes_settle(struct codes *codes);

/* NULL if there is none; *start is where its code begins, as far as that was not overwritten. */
const char *codes_find(struct codes *codes, uint64_t address, uint64_t *start);

size_t codes_bytes(const struct codes *codes);
void codes_free(struct codes *codes);

#endif
