/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes unwind tables row by row. */
#ifndef KTALLY_TEST_UNWIND_MAKER_H
#define KTALLY_TEST_UNWIND_MAKER_H

#include "kernel.h"
#include "table.h"

/**
 * struct maker - a table that is being made, zero to begin with
 * @rows: so far
 * @first_rows: so far, and one more once it is finished
 * @rules: distinct; the first one says nothing
 * @table: with these arrays, as long as no row is added
 */
struct maker {
	struct ktally_unwind_row *rows;
	u32 *first_rows;
	struct ktally_unwind_rule *rules;
	struct ktally_table table;
};

/* From this offset on, which is not below that of the row before, this rule holds. */
void maker_add(struct maker *maker, u64 offset, const struct ktally_unwind_rule *rule);
/* Up to here. The table can be used. */
struct ktally_table *maker_finish(struct maker *maker, u64 end);
void maker_free(struct maker *maker);

#endif
