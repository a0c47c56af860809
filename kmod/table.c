// SPDX-License-Identifier: GPL-2.0
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/sched.h>
#endif

#include "table.h"

#define SAVED_ALL ((1U << KTALLY_UNWIND_SAVED) - 1)

static bool is_blank(const struct ktally_unwind_rule *rule)
{
	unsigned int i;

	for (i = 0; i < KTALLY_UNWIND_SAVED; i++)
		if (rule->saved_at[i])
			return false;
	return !rule->cfa_register && !rule->saved && !rule->cfa_offset && !rule->deref_offset;
}

static bool is_rule(const struct ktally_unwind_rule *rule)
{
	unsigned int i, saved = rule->saved & SAVED_ALL;

	switch (rule->kind) {
	case KTALLY_UNWIND_NONE:
	case KTALLY_UNWIND_END:
	case KTALLY_UNWIND_SIGNAL:
		return is_blank(rule);
	case KTALLY_UNWIND_REGISTER:
		if (rule->deref_offset)
			return false;
		break;
	case KTALLY_UNWIND_DEREF:
	case KTALLY_UNWIND_PLT:
		break;
	default:
		return false;
	}

	if (rule->cfa_register >= 16 || rule->saved & ~(saved | saved << KTALLY_UNWIND_SAVED_FROM_RBP))
		return false;
	for (i = 0; i < KTALLY_UNWIND_SAVED; i++)
		if (rule->saved_at[i] && !(saved & 1U << i))
			return false;
	return true;
}

static bool are_rules(const struct ktally_table *table)
{
	u32 i;

	for (i = 0; i < table->rule_count; i++)
		if (!is_rule(&table->rules[i]))
			return false;
	return table->rules[0].kind == KTALLY_UNWIND_NONE;
}

/* From a chunk's first row to before that of the next. */
static bool is_chunk(const struct ktally_table *table, u32 first, u32 end)
{
	u32 i;

	if (first >= end || end > table->row_count || table->rows[first].offset)
		return false;
	for (i = first; i < end; i++) {
		if (table->rows[i].rule >= table->rule_count)
			return false;
		if (i > first && table->rows[i].offset <= table->rows[i - 1].offset)
			return false;
	}
	return true;
}

int ktally_table_check(const struct ktally_table *table)
{
	u32 i;

	if (!table->rule_count || table->rule_count > KTALLY_UNWIND_RULES_MAX ||
	    table->first_chunk > KTALLY_UNWIND_CHUNKS_MAX ||
	    table->chunk_count > KTALLY_UNWIND_CHUNKS_MAX - table->first_chunk)
		return -EINVAL;
	if (!are_rules(table) || table->first_rows[0] || table->first_rows[table->chunk_count] != table->row_count)
		return -EINVAL;
	for (i = 0; i < table->chunk_count; i++) {
		if (!is_chunk(table, table->first_rows[i], table->first_rows[i + 1]))
			return -EINVAL;
		cond_resched();
	}
	return 0;
}
