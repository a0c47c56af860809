/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an ELF file to its unwind table (x86-64). What says how to unwind, best first; a function is taken from the first
 * that knows it:
 *
 * - .eh_frame, which nearly every file has, also when it was stripped;
 * - .gopclntab, where Go keeps the size of each frame;
 * - .debug_frame, of the file itself or of its debug file;
 * - .sframe, versions 2 and 3;
 * - a look at the code, where a process begins and in the stubs of the procedure linkage table.
 */
#ifndef KTALLY_UNWIND_H
#define KTALLY_UNWIND_H

#include "symbols/elf.h"
#include "unwind/table.h"

enum unwind_source { UNWIND_EH_FRAME, UNWIND_DEBUG_FRAME, UNWIND_SFRAME, UNWIND_PCLNTAB, UNWIND_LINKER, UNWIND_SOURCES };

struct unwind_statistics {
	uint64_t functions[UNWIND_SOURCES];
	uint64_t rows, rules, bytes;		/* of the table */
	/* Rows that became rule 0, because no rule can tell what they say: */
	uint64_t lost_cfa;			/* where the CFA is */
	uint64_t lost_return_address;		/* that the return address is elsewhere than right below the CFA */
	uint64_t lost_saved;			/* where rbp was saved, or that rsp is not the CFA */
	uint64_t lost_rules;			/* the rarest of more rules than a table can have */
	uint64_t inexact;			/* rows that do not tell where one of rbx, r12 to r15 was saved */
	uint64_t malformed;			/* functions that could not be read, or not to their end */
	uint64_t code_bytes, uncovered_bytes;	/* of executable segments; of which nothing is known */
};

/*
 * Reads the table of an open ELF file. debug: its separate debug file, or NULL. The table covers all executable segments,
 * with rule 0 where nothing is known; it always passes unwind_table_check().
 *
 * -ENOEXEC: not x86-64; -ENODATA: nothing executable in it; -EFBIG: needs more than most_bytes.
 */
int unwind_read(struct unwind_table *table, const struct elf *elf, const struct elf *debug, size_t most_bytes,
		struct unwind_statistics *statistics);

#endif
