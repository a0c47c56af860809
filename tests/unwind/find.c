// SPDX-License-Identifier: GPL-2.0-or-later
/* The search for a rule in a table. */
#include "check.h"
#include "scene.h"

/* Against a search row by row. */
int main(void)
{
	const struct ktally_table *table;
	unsigned int wrong = 0, remembered = 0, offsets = 0;
	u64 offset, seed = 1;

	scene_begin();
	for (offset = CODE_OFFSET; offset < CODE_OFFSET + CODE_BYTES; ) {
		const struct ktally_unwind_rule rule = {
			.kind = KTALLY_UNWIND_REGISTER, .cfa_register = 7, .cfa_offset = (s32)(8 * (seed >> 60)),
		};

		maker_add(&scene.maker, offset, &rule);
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		offset += 1 + (seed >> 33) % (seed >> 32 & 1 ? 5 : 20000);
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
	return check_end();
}
