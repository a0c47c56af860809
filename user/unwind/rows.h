/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of one function on their way from a source into the table. */
#ifndef KTALLY_UNWIND_ROWS_H
#define KTALLY_UNWIND_ROWS_H

#include "unwind/builder.h"
#include "unwind/cfi.h"
#include "unwind/unwind.h"

struct rows {
	struct builder *builder;
	struct unwind_statistics *statistics;
	uint64_t start, end;		/* of the function, in the file; what lies beyond is not its own */
	const struct cie *cie;		/* of frames */
};

/* So many bytes from the beginning of the function. */
void rows_rule(struct rows *rows, uint64_t within, const struct ktally_unwind_rule *rule);	/* NULL: nothing known */

#endif
