/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An unwind table: what the ABI says of it under "User stacks and unwind tables". It comes from user
 * space, so nothing is believed until ktally_table_check() has seen all of it; from then on it never
 * changes, and is searched without a second look.
 *
 * This file compiles in user space as well (tests/unwind).
 */
#ifndef KTALLY_TABLE_H
#define KTALLY_TABLE_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/types.h>
#else
#include "kernel.h"
#endif
#include <linux/ktally.h>

/**
 * struct ktally_table - where its arrays are
 * @rows: see struct ktally_load_table
 * @first_rows: likewise
 * @rules: likewise
 * @first_chunk: likewise
 * @chunk_count: likewise
 * @row_count: likewise
 * @rule_count: likewise
 * @used: jiffies when it was last used, the only thing that changes
 */
struct ktally_table {
	const struct ktally_unwind_row *rows;
	const u32 *first_rows;
	const struct ktally_unwind_rule *rules;
	u32 first_chunk;
	u32 chunk_count;
	u32 row_count;
	u32 rule_count;
	unsigned long used;
};

/* Process context, takes long: every byte is looked at. Whether the arrays are as the ABI says; 0 or -EINVAL. */
int ktally_table_check(const struct ktally_table *table);

/*
 * Any context, also while user memory is open: no calls. What holds at this offset, rule 0 included;
 * NULL where the table has no chunk.
 */
static __always_inline
const struct ktally_unwind_rule *ktally_table_find(const struct ktally_table *table, u64 offset)
{
	u64 chunk = (offset >> KTALLY_UNWIND_CHUNK_SHIFT) - table->first_chunk;
	u32 low = (u16)offset, count, half;
	const struct ktally_unwind_row *row;

	if (chunk >= table->chunk_count)
		return NULL;
	row = &table->rows[table->first_rows[chunk]];
	count = table->first_rows[chunk + 1] - table->first_rows[chunk];

	/*
	 * The row is among `count`, the first of which is not after the offset. No branch for the
	 * processor to guess.
	 */
	while (count > 1) {
		half = count / 2;
		row += row[half].offset <= low ? half : 0;
		count -= half;
	}
	return &table->rules[row->rule];
}

#endif /* KTALLY_TABLE_H */
