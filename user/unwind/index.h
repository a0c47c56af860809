/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of a file that something says how to unwind, in the order of the file: sixteen bytes each, so that all of
 * them fit in memory, with where to read the rest. Several sources can tell of a function; the better one is asked.
 */
#ifndef KTALLY_UNWIND_INDEX_H
#define KTALLY_UNWIND_INDEX_H

#include <stdbool.h>

#include "symbols/elf.h"

struct function {
	uint64_t start : 40;	/* offset in the file */
	uint64_t source : 8;
	uint32_t bytes;
	uint32_t at;		/* the source's own: which entry */
};

struct index {
	const struct elf *elf;
	struct function *list;
	size_t count, capacity, most;
	size_t sorted;			/* so many at the beginning are in order, and what comes later yields to them */
	bool overflow;
};

/*
 * The part of [address, address + bytes) that is code in the file; false if none is. Nor is address 0: there the link
 * editor puts what it left out.
 */
bool index_locate(const struct elf *elf, uint64_t address, uint64_t bytes, uint64_t *start, uint32_t *length);

void index_add(struct index *index, unsigned int source, uint64_t address, uint64_t bytes, uint32_t at);

/* All of one source were added: those that overlap what earlier sources told of are dropped. The number kept. */
size_t index_merge(struct index *index);

#endif
