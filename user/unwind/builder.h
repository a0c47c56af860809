/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a table of rows that come in the order of the file. Equal rules are kept once; a row that says the same as the one
 * before it is left out.
 *
 * Should there be more distinct rules than a table can have, the rows have to be given a second time: then it is known
 * which rules are the rarest, and those become rule 0.
 */
#ifndef KTALLY_UNWIND_BUILDER_H
#define KTALLY_UNWIND_BUILDER_H

#include <stdbool.h>

#include "unwind/table.h"

struct builder {
	struct ktally_unwind_rule *rules;
	uint32_t *uses;			/* of each rule: how many rows have it */
	uint16_t *renumbered;		/* the second time: which rule of the table it is */
	uint32_t rule_count, rule_capacity;
	uint32_t *slots, slot_count;	/* rules by hash, 0: free */
	uint64_t secret;

	struct ktally_unwind_row *rows;
	uint32_t row_count, row_capacity, most_rows;
	uint32_t *first_row, first_chunk, chunk_count, chunk;
	uint32_t last_rule;		/* of the last row, as in rules */
	bool overflow;			/* more rows than there may be: the rest was dropped */
	uint64_t rows_given_up;		/* whose rule had no place */
};

/* Of the file from one offset to another; a table of at most so many bytes. -EFBIG: the file is too long. */
int builder_begin(struct builder *builder, uint64_t start, uint64_t end, size_t most_bytes);

/* From this offset on, which is not before that of the last row; the same offset replaces it. rule NULL: nothing known. */
void builder_row(struct builder *builder, uint64_t offset, const struct ktally_unwind_rule *rule);

bool builder_again(struct builder *builder);	/* whether the rows are wanted once more, from the beginning */
int builder_finish(struct builder *builder, struct unwind_table *table);	/* frees the rest; -EFBIG */

#endif
