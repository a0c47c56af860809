// SPDX-License-Identifier: GPL-2.0-or-later
/* unwind/table.h, unwind/builder.h: what makes a table valid, and that what is built of rows is what they said. */
#include <errno.h>

#include "fake_frames.h"
#include "unwind/builder.h"

#define TABLE_BYTES_MOST	(64U << 20)

static struct ktally_unwind_rule rsp(int32_t offset)
{
	return (struct ktally_unwind_rule){ .kind = KTALLY_UNWIND_REGISTER, .cfa_register = 7, .cfa_offset = offset };
}

/* A small one that has everything: three chunks, from the second of the file on. */
struct small {
	uint32_t first_row[4];
	struct ktally_unwind_row rows[6];
	struct ktally_unwind_rule rules[6];
	struct unwind_table table;
};

static void make_small(struct small *small)
{
	*small = (struct small){
		.first_row = { 0, 3, 4, 6 },
		.rows = { { 0, 0 }, { 16, 1 }, { 65535, 2 }, { 0, 2 }, { 0, 3 }, { 1, 4 } },
		.rules = {
			{ .kind = KTALLY_UNWIND_NONE },
			{ .kind = KTALLY_UNWIND_REGISTER, .cfa_register = 15, .cfa_offset = -8, .saved = 0x3f3f,
			  .saved_at = { -1, -2, -3, 4, 5, 6 } },
			{ .kind = KTALLY_UNWIND_DEREF, .cfa_register = 6, .cfa_offset = 8, .deref_offset = -8, .saved = 2,
			  .saved_at = { 0, -32768 } },
			{ .kind = KTALLY_UNWIND_PLT, .cfa_register = 7, .cfa_offset = 8, .deref_offset = 15 },
			{ .kind = KTALLY_UNWIND_SIGNAL },
			{ .kind = KTALLY_UNWIND_END },
		},
	};
	small->table = (struct unwind_table){ .first_chunk = 1, .chunk_count = 3, .row_count = 6, .rule_count = 6,
					      .first_row = small->first_row, .rows = small->rows, .rules = small->rules };
}

static void validity(void)
{
	struct small small;

#define INVALID(name, change) do {								\
	make_small(&small);									\
	change;											\
	check_number(unwind_table_check(&small.table), -EINVAL, "invalid: %s", name);		\
} while (0)

	make_small(&small);
	check_number(unwind_table_check(&small.table), 0, "valid");
	small.rules[3].deref_offset = 0;
	small.table.first_chunk = KTALLY_UNWIND_CHUNKS_MAX - 3;
	check_number(unwind_table_check(&small.table), 0, "valid, as far back in the file as can be");
	INVALID("no chunk", small.table.chunk_count = 0);
	INVALID("past the last chunk", small.table.first_chunk = KTALLY_UNWIND_CHUNKS_MAX - 2);
	INVALID("chunks far past the last", small.table.first_chunk = UINT32_MAX);
	INVALID("too many chunks", small.table.chunk_count = UINT32_MAX);
	INVALID("no rule", small.table.rule_count = 0);
	INVALID("too many rules", small.table.rule_count = KTALLY_UNWIND_RULES_MAX + 1);
	INVALID("rows before the first", small.first_row[0] = 1);
	INVALID("rows after the last", small.table.row_count = 7);
	INVALID("fewer rows than it says", small.table.row_count = 5);
	INVALID("a chunk without rows", small.first_row[1] = small.first_row[2]);
	INVALID("chunks that go back", small.first_row[1] = 5);
	INVALID("a chunk far past the rows", small.first_row[1] = UINT32_MAX);
	INVALID("a chunk that begins late", small.rows[0].offset = 1);
	INVALID("the last chunk begins late", small.rows[4].offset = 1; small.rows[5].offset = 2);
	INVALID("rows that do not go on", small.rows[1].offset = 0);
	INVALID("rows that go back", small.rows[2].offset = 15);
	INVALID("a rule that is not there", small.rows[5].rule = 6);
	INVALID("rule 0 says something", small.rules[0].kind = KTALLY_UNWIND_END);
	INVALID("rule 0 has a CFA", small.rules[0].cfa_offset = 8);
	INVALID("another rule says nothing", small.rules[5].kind = KTALLY_UNWIND_NONE);
	INVALID("an unknown kind", small.rules[5].kind = 6);
	INVALID("register 16", small.rules[1].cfa_register = 16);
	INVALID("register 255 of DEREF", small.rules[2].cfa_register = 255);
	INVALID("a seventh saved register", small.rules[1].saved |= 0x40);
	INVALID("an eighth saved register", small.rules[1].saved |= 0x80);
	INVALID("from rbp, but not saved", small.rules[1].saved &= ~1; small.rules[1].saved_at[0] = 0);
	INVALID("a place of what is not saved", small.rules[2].saved_at[5] = 1);
	INVALID("a seventh register from rbp", small.rules[1].saved |= 0x4000);
	INVALID("REGISTER with an offset behind", small.rules[1].deref_offset = 1);
	INVALID("PLT from another register", small.rules[3].cfa_register = 6);
	INVALID("PLT from 16 on", small.rules[3].deref_offset = 16);
	INVALID("PLT from -1 on", small.rules[3].deref_offset = -1);
	INVALID("SIGNAL with a CFA", small.rules[4].cfa_offset = 8);
	INVALID("SIGNAL from a register", small.rules[4].cfa_register = 7);
	INVALID("END that saves", small.rules[5].saved = 1);
	INVALID("END with an offset", small.rules[5].deref_offset = 1);
}

static void lookup(void)
{
	static const struct {
		uint64_t offset;
		unsigned int rule;
	} list[] = {
		{ 0, 0 }, { 0xffff, 0 }, { 0x10000, 0 }, { 0x1000f, 0 }, { 0x10010, 1 }, { 0x1fffe, 1 }, { 0x1ffff, 2 },
		{ 0x20000, 2 }, { 0x2ffff, 2 }, { 0x30000, 3 }, { 0x30001, 4 }, { 0x3ffff, 4 }, { 0x40000, 0 },
		{ UINT64_MAX, 0 }, { 0x100000000, 0 }, { 0x1000000010000, 0 },
	};
	struct small small;

	make_small(&small);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		check_number(unwind_table_find(&small.table, list[i].offset) - small.rules, list[i].rule, "lookup at %#llx",
			     (unsigned long long)list[i].offset);
	check_number(unwind_table_bytes(&small.table), 4 * 4 + 6 * 4 + 6 * 24, "bytes");
}

static void building(void)
{
	struct ktally_unwind_rule a = rsp(8), b = rsp(16), none = { 0 };
	struct unwind_table table;
	struct builder builder;

	check_number(builder_begin(&builder, 0x12345, 0x54321, TABLE_BYTES_MOST), 0, "building: begins");
	builder_row(&builder, 0x12345, &a);
	builder_row(&builder, 0x12350, &a);
	builder_row(&builder, 0x12360, &b);
	builder_row(&builder, 0x12360, &a);	/* takes it back */
	builder_row(&builder, 0x12370, &b);
	builder_row(&builder, 0x40000, NULL);
	builder_row(&builder, 0x40000, &a);	/* at the beginning of a chunk */
	builder_row(&builder, 0x40010, &none);
	check_number(builder_finish(&builder, &table), 0, "building: ends");
	check_number(unwind_table_check(&table), 0, "building: valid");
	check_number(table.first_chunk, 1, "building: first chunk");
	check_number(table.chunk_count, 5, "building: chunks");
	check_number(table.rule_count, 3, "building: rules");
	check_number(table.row_count, 3 + 1 + 1 + 2 + 1, "building: rows, none twice");
	check_string(rule_text(unwind_table_find(&table, 0x12344)), "none", "building: before");
	check_string(rule_text(unwind_table_find(&table, 0x12345)), "rsp+8", "building: first");
	check_string(rule_text(unwind_table_find(&table, 0x1236f)), "rsp+8", "building: one taken back");
	check_string(rule_text(unwind_table_find(&table, 0x3ffff)), "rsp+16", "building: goes on in other chunks");
	check_string(rule_text(unwind_table_find(&table, 0x40000)), "rsp+8", "building: first of a chunk");
	check_string(rule_text(unwind_table_find(&table, 0x54320)), "none", "building: after");
	unwind_table_free(&table);

	check_number(builder_begin(&builder, 0, 1ULL << 36, TABLE_BYTES_MOST), 0, "building: all of the longest file");
	builder_row(&builder, (1ULL << 36) - 1, &a);
	check_number(builder_finish(&builder, &table), 0, "building: all of the longest file, ends");
	check_string(rule_text(unwind_table_find(&table, (1ULL << 36) - 1)), "rsp+8", "building: its last byte");
	unwind_table_free(&table);
	check_number(builder_begin(&builder, 0, (1ULL << 36) + 1, TABLE_BYTES_MOST), -EFBIG, "building: a longer file");
	check_number(builder_begin(&builder, 0, 1ULL << 36, 1 << 20), -EFBIG, "building: chunks alone are too much");

	check_number(builder_begin(&builder, 0, 65536, 4096), 0, "building: with little room");
	for (uint32_t i = 0; i < 2000; i++)
		builder_row(&builder, i, i % 2 ? &a : &b);
	check_number(builder_finish(&builder, &table), -EFBIG, "building: with too little room");
}

/* 70000 distinct rules, of which the first 100 and the last 60000 are used twice. */
static void many_rules(void)
{
	enum { COUNT = 70000 };
	struct unwind_table table;
	struct builder builder;
	unsigned int rounds = 0, wrong = 0, lost = 0;

	builder_begin(&builder, 0, 1 << 20, TABLE_BYTES_MOST);
	do {
		uint64_t at = 0;

		for (unsigned int twice = 0; twice < 2; twice++)
			for (int32_t i = 0; i < COUNT; i++)
				if (!twice || i < 100 || i >= COUNT - 60000) {
					struct ktally_unwind_rule rule = rsp(i);

					builder_row(&builder, at++, &rule);
				}
	} while (builder_again(&builder) && ++rounds < 10);
	check_number(rounds, 1, "too many rules: the rows are wanted once more");
	check_number(builder.rows_given_up, COUNT - (KTALLY_UNWIND_RULES_MAX - 1), "too many rules: so many rows are given up");
	check_number(builder_finish(&builder, &table), 0, "too many rules: there is a table");
	check_number(unwind_table_check(&table), 0, "too many rules: it is valid");
	check_number(table.rule_count, KTALLY_UNWIND_RULES_MAX, "too many rules: as many as can be");
	for (int32_t i = 0; i < COUNT; i++) {
		const struct ktally_unwind_rule *rule = unwind_table_find(&table, (uint64_t)i);

		if (rule->kind == KTALLY_UNWIND_NONE && i >= 100 && i < COUNT - 60000)
			lost++;
		else if (rule->cfa_offset != i)
			wrong++;
	}
	check_number(lost, COUNT - (KTALLY_UNWIND_RULES_MAX - 1), "too many rules: the rare ones are lost");
	check_number(wrong, 0, "too many rules: the others are right");
	unwind_table_free(&table);
}

int main(void)
{
	validity();
	lookup();
	building();
	many_rules();
	return check_end();
}
