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
#include <linux/nospec.h>
#include <linux/types.h>
#else
#include "kernel.h"
#endif
#include <linux/ktally.h>

/*
 * What was found is remembered, for the same call sites are asked about again and again: a search
 * reads a cache line for every other halving, this reads one. An entry is one word, written at once,
 * so it needs no lock: (offset + 1) << 16 | rule, and zero is no entry.
 */
#define KTALLY_TABLE_MEMO_BITS	10
#define KTALLY_TABLE_MEMO_BYTES	(sizeof(u64) << KTALLY_TABLE_MEMO_BITS)

/**
 * struct ktally_table - where its arrays are
 * @memo: KTALLY_TABLE_MEMO_BYTES, zeroes in the beginning
 * @rows: see struct ktally_load_table
 * @first_rows: likewise
 * @rules: likewise
 * @first_chunk: likewise
 * @chunk_count: likewise
 * @row_count: likewise
 * @rule_count: likewise
 * @used: jiffies when it was last used; this and @memo are all that changes
 */
struct ktally_table {
	u64 *memo;
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
 * Any context, also while user memory is open: no calls. The number of the rule that holds at this
 * offset, which lies in one of the table's chunks.
 */
static __always_inline u32 ktally_table_search(const struct ktally_table *table, u64 chunk, u64 offset)
{
	u32 first = table->first_rows[chunk], low = (u16)offset;
	const struct ktally_unwind_row *row = &table->rows[first];
	u64 count = table->first_rows[chunk + 1] - first, half;

	/*
	 * The row is among `count`, the first of which is not after the offset. No branch for the
	 * processor to guess.
	 */
	while (count > 1) {
		half = count / 2;
		row = row[half].offset <= low ? row + half : row;
		count -= half;
	}
	return row->rule;
}

/*
 * The same, remembered: what holds at this offset, rule 0 included; NULL where the table has no
 * chunk.
 */
static __always_inline
const struct ktally_unwind_rule *ktally_table_find(const struct ktally_table *table, u64 offset)
{
	u64 *memo = &table->memo[(u32)offset * 0x9e3779b1U >> (32 - KTALLY_TABLE_MEMO_BITS)];
	u64 chunk = (offset >> KTALLY_UNWIND_CHUNK_SHIFT) - table->first_chunk;
	u64 known = READ_ONCE(*memo);

	if (known >> 16 != offset + 1) {
		if (chunk >= table->chunk_count)
			return NULL;
		/* The offset is the sampled process's: it must not lead a speculating CPU elsewhere. */
		chunk &= array_index_mask_nospec(chunk, table->chunk_count);
		known = (offset + 1) << 16 | ktally_table_search(table, chunk, offset);
		WRITE_ONCE(*memo, known);
	}
	return &table->rules[(u16)known];
}

#endif /* KTALLY_TABLE_H */
