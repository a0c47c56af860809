/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unwind table of one ELF file, as the module takes it: <linux/ktally.h>, "User stacks and unwind tables", says what is
 * in it. What the module requires of a table is checked here, too: those from the disk are anybody's.
 */
#ifndef KTALLY_UNWIND_TABLE_H
#define KTALLY_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <linux/ktally.h>

struct unwind_table {
	uint32_t first_chunk;			/* which 64 KiB of the file the first chunk is */
	uint32_t chunk_count, row_count, rule_count;
	uint32_t *first_row;			/* chunk c has rows first_row[c] to first_row[c + 1] - 1 */
	struct ktally_unwind_row *rows;
	struct ktally_unwind_rule *rules;
};

/* 0 if it is as the module takes it, so that lookups stay within the arrays whatever they are asked for; else -EINVAL. */
int unwind_table_check(const struct unwind_table *table);

/* The rule at an offset in the file; rule 0 where the table ends. */
const struct ktally_unwind_rule *unwind_table_find(const struct unwind_table *table, uint64_t offset);

size_t unwind_table_bytes(const struct unwind_table *table);	/* of the three arrays */
void unwind_table_free(struct unwind_table *table);

#endif
