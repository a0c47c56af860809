// SPDX-License-Identifier: GPL-2.0-or-later
/* The search for a rule in a table. */
#include "check.h"
#include "scene.h"

/* The memo shows in a table that is changed behind its back, which nobody else does. */
static void remembering(void)
{
	const struct ktally_unwind_rule *found[100];
	unsigned int remembered = 0, forgotten = 0;
	const struct ktally_table *table;

	scene_begin();
	for (unsigned int i = 0; i < 100; i++)
		scene_rule(CODE + 16 * i, 16, (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_REGISTER, .cfa_offset = 8 + (s32)i % 2 * 8 });
	table = maker_finish(&scene.maker, CODE_OFFSET + 1600);
	for (unsigned int i = 0; i < 100; i++)
		found[i] = ktally_table_find(table, CODE_OFFSET + 16 * i);
	check(!ktally_table_find(table, (1ULL << 32) + CODE_OFFSET + 16 * 99), "an offset that looks like one that was found");
	for (u32 row = 0; row < table->row_count; row++)
		scene.maker.rows[row].rule = 0;
	for (unsigned int i = 0; i < 100; i++)
		remembered += found[i] != table->rules && ktally_table_find(table, CODE_OFFSET + 16 * i) == found[i];
	check(remembered > 80, "what was found is not searched for again (%u of 100)", remembered);
	memset(table->memo, 0, KTALLY_TABLE_MEMO_BYTES);
	for (unsigned int i = 0; i < 100; i++)
		forgotten += ktally_table_find(table, CODE_OFFSET + 16 * i) == table->rules;
	check_number(forgotten, 100, "but where it is not remembered");
	scene_end();
}

/* Against a search row by row. */
int main(void)
{
	const struct ktally_table *table;
	unsigned int wrong = 0, remembered = 0, offsets = 0;
	u64 offset, seed = 1;

	scene_begin();
	for (offset = CODE_OFFSET; offset < CODE_OFFSET + CODE_BYTES; ) {
		const struct ktally_unwind_rule rule = {
			.kind = KTALLY_UNWIND_REGISTER, .cfa_register = 7, .cfa_offset = (s32)(8 * (seed >> 55)),
		};

		maker_add(&scene.maker, offset, &rule);
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		offset += 1 + (seed >> 33) % (seed >> 32 & 1 ? 5 : 2000);
	}
	table = maker_finish(&scene.maker, CODE_OFFSET + CODE_BYTES);
	check_number(ktally_table_check(table), 0, "a table of %u rows in %u chunks", table->row_count, table->chunk_count);
	for (u32 chunk = 0; chunk < table->chunk_count; chunk++) {
		u32 row = table->first_rows[chunk];

		for (u32 low = 0; low < 0x10000; low++) {
			if (row + 1 < table->first_rows[chunk + 1] && table->rows[row + 1].offset == low)
				row++;
			offset = (u64)(table->first_chunk + chunk) << 16 | low;
			wrong += ktally_table_find(table, offset) != &table->rules[table->rows[row].rule];
			remembered += ktally_table_find(table, offset) == &table->rules[table->rows[row].rule];
			offsets++;
		}
	}
	check_number(wrong, 0, "every offset has the rule of the row before it");
	check_number(remembered, offsets, "and has it still when it is remembered");
	check(!ktally_table_find(table, (u64)table->chunk_count << 16) && !ktally_table_find(table, (1ULL << 36) - 1),
	      "behind the last chunk there is nothing");

	scene_begin();
	scene_rule(CODE + 0x20000, 0x100, (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_END });
	scene_walk();
	check(scene.maker.table.first_chunk == 2 && !ktally_table_find(&scene.maker.table, 0x1ffff) &&
	      ktally_table_find(&scene.maker.table, 0x20000) == &scene.maker.rules[0] &&
	      ktally_table_find(&scene.maker.table, CODE_OFFSET + 0x20000)->kind == KTALLY_UNWIND_END,
	      "nor before the first");
	scene_end();
	remembering();
	return check_end();
}
