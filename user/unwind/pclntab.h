/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's own tables, which its run time needs and no stripping removes: for each function, by how much its code has moved
 * the stack pointer so far. Of Go 1.16 and later. They are asked before .debug_frame, which has the same frame sizes but
 * does not say where goroutines begin.
 */
#ifndef KTALLY_UNWIND_PCLNTAB_H
#define KTALLY_UNWIND_PCLNTAB_H

#include "unwind/index.h"
#include "unwind/rows.h"
#include "unwind/section.h"

struct pclntab {
	const struct elf *elf;
	uint64_t offset, bytes;		/* of the section in the file */
	uint32_t magic;
	uint64_t text;			/* where offsets of functions count from */
	uint32_t function_count;
	uint64_t names;			/* in the section */
	uint64_t functions;		/* in the section: where each begins, and where it is described */
	struct section moves;		/* of the stack pointer: read whole, as functions share them */
	uint64_t budget;		/* so many of them may yet be followed */
	uint64_t left;			/* so many bytes may yet be read into windows */
	struct {
		uint8_t *data;
		uint64_t at, bytes;
	} windows[2];			/* on the functions, and on the rest; both are read in order */
};

bool pclntab_open(struct pclntab *pclntab, const struct elf *elf);	/* false: not Go, or not understood */
void pclntab_index(struct pclntab *pclntab, struct index *index, unsigned int source);
bool pclntab_run(struct pclntab *pclntab, uint32_t number, struct rows *rows);
void pclntab_close(struct pclntab *pclntab);

/*
 * Where the first function's code is, in files whose table does not say: from the module's data, which begins with the
 * first and the last function's address, and that. first, last: their distances from it. 0: not found.
 */
uint64_t gomodule_text(const struct elf *elf, uint64_t first, uint64_t last);

#endif
