/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .sframe, versions 2 and 3: much less than DWARF says, in a form that needs no interpreter. It tells of the CFA, of the
 * return address and of rbp; other registers are taken as not saved.
 */
#ifndef KTALLY_UNWIND_SFRAME_H
#define KTALLY_UNWIND_SFRAME_H

#include "unwind/index.h"
#include "unwind/rows.h"
#include "unwind/section.h"

struct sframe {
	const struct section *section;
	unsigned int version, flags;
	int64_t rbp_offset;		/* where it is saved in all functions; 0: each says */
	uint32_t function_count;
	size_t functions;		/* where in the section they begin ... */
	struct cursor rows;		/* ... and all their rows */
	uint64_t budget;		/* functions may share rows: so many may be read in all */
};

bool sframe_open(struct sframe *sframe, const struct section *section);	/* false: nothing that is understood here */
void sframe_index(const struct sframe *sframe, struct index *index, unsigned int source);
bool sframe_run(struct sframe *sframe, uint32_t number, struct rows *rows);

#endif
