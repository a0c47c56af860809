// SPDX-License-Identifier: GPL-2.0-or-later
/* Deliberately plain: the module checks tables, and looks up in them, the same way. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "unwind/table.h"

#define REGISTERS	16
#define SAVED_BITS	((1U << KTALLY_UNWIND_SAVED) - 1)

static bool rule_is_valid(const struct ktally_unwind_rule *rule)
{
	unsigned int at_cfa = rule->saved & SAVED_BITS, from_rbp = rule->saved >> KTALLY_UNWIND_SAVED_FROM_RBP;
	bool has_cfa = false, has_deref = false;

	switch (rule->kind) {
	case KTALLY_UNWIND_NONE:
	case KTALLY_UNWIND_END:
	case KTALLY_UNWIND_SIGNAL:
		break;
	case KTALLY_UNWIND_REGISTER:
		has_cfa = true;
		break;
	case KTALLY_UNWIND_DEREF:
		has_cfa = true;
		has_deref = true;
		break;
	case KTALLY_UNWIND_PLT:
		has_cfa = rule->cfa_register == 7 && rule->deref_offset >= 0 && rule->deref_offset < 16;
		has_deref = true;
		if (!has_cfa)
			return false;
		break;
	default:
		return false;
	}
	if (rule->cfa_register >= REGISTERS || (from_rbp & ~at_cfa) || (rule->saved & 0xc0))
		return false;
	if (!has_cfa && (rule->cfa_register || rule->cfa_offset || rule->saved))
		return false;
	if (!has_deref && rule->deref_offset)
		return false;
	for (unsigned int i = 0; i < KTALLY_UNWIND_SAVED; i++)
		if (!(at_cfa >> i & 1) && rule->saved_at[i])
			return false;
	return true;
}

static bool chunk_is_valid(const struct unwind_table *table, uint32_t first, uint32_t end)
{
	if (first >= end || end > table->row_count || table->rows[first].offset)
		return false;
	for (uint32_t i = first; i < end; i++) {
		if (table->rows[i].rule >= table->rule_count)
			return false;
		if (i > first && table->rows[i].offset <= table->rows[i - 1].offset)
			return false;
	}
	return true;
}

int unwind_table_check(const struct unwind_table *table)
{
	if (!table->chunk_count || table->chunk_count > KTALLY_UNWIND_CHUNKS_MAX ||
	    table->first_chunk > KTALLY_UNWIND_CHUNKS_MAX - table->chunk_count || !table->rule_count ||
	    table->rule_count > KTALLY_UNWIND_RULES_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < table->rule_count; i++)
		if (!rule_is_valid(&table->rules[i]) || (table->rules[i].kind == KTALLY_UNWIND_NONE) != (i == 0))
			return -EINVAL;
	if (table->first_row[0] || table->first_row[table->chunk_count] != table->row_count)
		return -EINVAL;
	for (uint32_t i = 0; i < table->chunk_count; i++)
		if (!chunk_is_valid(table, table->first_row[i], table->first_row[i + 1]))
			return -EINVAL;
	return 0;
}

const struct ktally_unwind_rule *unwind_table_find(const struct unwind_table *table, uint64_t offset)
{
	uint64_t chunk = offset >> KTALLY_UNWIND_CHUNK_SHIFT;
	uint16_t within = (uint16_t)offset;
	uint32_t low, high;

	if (chunk < table->first_chunk || chunk - table->first_chunk >= table->chunk_count)
		return &table->rules[0];
	chunk -= table->first_chunk;
	low = table->first_row[chunk];
	high = table->first_row[chunk + 1];
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (table->rows[middle].offset <= within)
			low = middle;
		else
			high = middle;
	}
	return &table->rules[table->rows[low].rule];
}

size_t unwind_table_bytes(const struct unwind_table *table)
{
	return (table->chunk_count + 1UL) * sizeof(*table->first_row) + table->row_count * sizeof(*table->rows) +
	       table->rule_count * sizeof(*table->rules);
}

void unwind_table_free(struct unwind_table *table)
{
	free(table->first_row);
	free(table->rows);
	free(table->rules);
	*table = (struct unwind_table){ 0 };
}
