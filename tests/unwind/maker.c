// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "maker.h"

#define CHUNK_BYTES (1ULL << KTALLY_UNWIND_CHUNK_SHIFT)

static void *grow(void *array, size_t count, size_t bytes)
{
	array = realloc(array, count * bytes);
	must(array);
	return array;
}

static u16 rule_number(struct maker *maker, const struct ktally_unwind_rule *rule)
{
	struct ktally_table *table = &maker->table;

	for (u32 i = 0; i < table->rule_count; i++)
		if (!memcmp(&maker->rules[i], rule, sizeof(*rule)))
			return (u16)i;
	must(table->rule_count < KTALLY_UNWIND_RULES_MAX);
	maker->rules = grow(maker->rules, table->rule_count + 1, sizeof(*rule));
	maker->rules[table->rule_count] = *rule;
	return (u16)table->rule_count++;
}

static void add_row(struct maker *maker, u16 offset, u16 rule)
{
	maker->rows = grow(maker->rows, maker->table.row_count + 1, sizeof(*maker->rows));
	maker->rows[maker->table.row_count++] = (struct ktally_unwind_row) { offset, rule };
}

/* What held at the end of the chunk before holds at the beginning of this. */
static void add_chunk(struct maker *maker)
{
	struct ktally_table *table = &maker->table;
	u16 rule = table->row_count ? maker->rows[table->row_count - 1].rule : 0;

	maker->first_rows = grow(maker->first_rows, table->chunk_count + 2, sizeof(*maker->first_rows));
	maker->first_rows[table->chunk_count++] = table->row_count;
	add_row(maker, 0, rule);
}

void maker_add(struct maker *maker, u64 offset, const struct ktally_unwind_rule *rule)
{
	static const struct ktally_unwind_rule none;
	struct ktally_table *table = &maker->table;
	struct ktally_unwind_row *last;
	u16 number;

	rule_number(maker, &none);
	number = rule_number(maker, rule);
	if (!table->chunk_count)
		table->first_chunk = (u32)(offset / CHUNK_BYTES);
	while (table->first_chunk + table->chunk_count <= offset / CHUNK_BYTES)
		add_chunk(maker);
	last = &maker->rows[table->row_count - 1];
	if (last->offset == (u16)offset)
		last->rule = number;
	else if (last->rule != number)
		add_row(maker, (u16)offset, number);
}

struct ktally_table *maker_finish(struct maker *maker, u64 end)
{
	static const struct ktally_unwind_rule none;
	struct ktally_table *table = &maker->table;

	maker_add(maker, end, &none);
	maker->first_rows[table->chunk_count] = table->row_count;
	if (!table->memo) {
		table->memo = calloc(1, KTALLY_TABLE_MEMO_BYTES);
		must(table->memo);
	}
	memset(table->memo, 0, KTALLY_TABLE_MEMO_BYTES);
	table->rows = maker->rows;
	table->first_rows = maker->first_rows;
	table->rules = maker->rules;
	return table;
}

void maker_free(struct maker *maker)
{
	free(maker->table.memo);
	free(maker->rows);
	free(maker->first_rows);
	free(maker->rules);
	memset(maker, 0, sizeof(*maker));
}
