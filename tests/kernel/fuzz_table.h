/* SPDX-License-Identifier: GPL-2.0 */
/* Unwind tables for the fuzzer: nearly right, for files that are sampled, so that stacks are taken by them. */
#ifndef KTALLY_TEST_FUZZ_TABLE_H
#define KTALLY_TEST_FUZZ_TABLE_H

#include <linux/ktally.h>

#include "fuzz_values.h"

#define TABLE_CHUNKS 40
#define TABLE_ROWS 16
#define TABLE_RULES 16

/* Of a worker. */
static struct {
	struct ktally_unwind_row rows[TABLE_CHUNKS * TABLE_ROWS];
	uint32_t first_rows[TABLE_CHUNKS + 1];
	struct ktally_unwind_rule rules[TABLE_RULES];
} fuzz_table;

static struct ktally_unwind_rule any_rule(void)
{
	struct ktally_unwind_rule rule = { .kind = (uint8_t)below(KTALLY_UNWIND_SIGNAL + 1) };
	int i;

	if (rule.kind < KTALLY_UNWIND_REGISTER || rule.kind == KTALLY_UNWIND_SIGNAL)
		return rule;
	rule.cfa_register = one_in(3) ? (uint8_t)below(16) : 6 + (uint8_t)below(2);
	rule.cfa_offset = one_in(8) ? (int32_t)tricky() : 8 * (int32_t)below(20);
	if (rule.kind != KTALLY_UNWIND_REGISTER)
		rule.deref_offset = one_in(8) ? (int32_t)tricky() : (int32_t)below(17);
	rule.saved = (uint16_t)below(1 << KTALLY_UNWIND_SAVED);
	for (i = 0; i < KTALLY_UNWIND_SAVED; i++)
		if (rule.saved & 1 << i)
			rule.saved_at[i] = one_in(8) ? (int16_t)tricky() : -2 - (int16_t)below(8);
	if (rule.saved && one_in(8))
		rule.saved |= (uint16_t)(rule.saved << KTALLY_UNWIND_SAVED_FROM_RBP);
	return rule;
}

static void fill_table(uint32_t chunks)
{
	uint32_t i, row, offset = 0;

	for (i = 1; i < TABLE_RULES; i++)
		fuzz_table.rules[i] = any_rule();
	for (row = 0; row < chunks * TABLE_ROWS; row++) {
		offset = row % TABLE_ROWS ? offset + 1 + (uint32_t)below(4000) : 0;
		fuzz_table.rows[row] = (struct ktally_unwind_row) { (uint16_t)offset, (uint16_t)below(TABLE_RULES) };
	}
	for (i = 0; i <= chunks; i++)
		fuzz_table.first_rows[i] = i * TABLE_ROWS;
}

static struct ktally_load_table any_table(void)
{
	uint32_t chunks = (uint32_t)below(TABLE_CHUNKS + 1);
	struct ktally_load_table request = {
		.size = sizeof(request),
		.file = one_in(8) ? (uint32_t)tricky() : (uint32_t)below(20),
		.flags = one_in(4) ? 0 : KTALLY_LOAD_TABLE_REPLACE,
		.first_chunk = one_in(4) ? (uint32_t)below(4) : 0,
		.rows = (uintptr_t)fuzz_table.rows,
		.first_rows = (uintptr_t)fuzz_table.first_rows,
		.rules = (uintptr_t)fuzz_table.rules,
		.row_count = chunks * TABLE_ROWS,
		.chunk_count = chunks,
		.rule_count = TABLE_RULES,
	};
	uint32_t *field = (uint32_t *)&request + below(sizeof(request) / sizeof(uint32_t));

	fill_table(chunks);
	if (one_in(4))
		*field = (uint32_t)tricky();
	if (one_in(4))
		((uint8_t *)&fuzz_table)[below(sizeof(fuzz_table))] = (uint8_t)any();
	if (one_in(16))
		request.row_count = (uint32_t)below(KTALLY_UNWIND_BYTES_MAX / 3);
	return request;
}

#endif /* KTALLY_TEST_FUZZ_TABLE_H */
