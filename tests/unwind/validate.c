// SPDX-License-Identifier: GPL-2.0-or-later
/* What a table must be: a good one is accepted, and with any one thing wrong it is not. */
#include "check.h"
#include "kernel.h"
#include "table.h"

#define ROWS 5
#define CHUNKS 2
#define RULES 4

/* Each array has no room for more than its table says, when it is checked, so that who looks further is caught. */
struct arrays {
	struct ktally_unwind_row rows[ROWS];
	u32 first_rows[CHUNKS + 1];
	struct ktally_unwind_rule rules[RULES];
	struct ktally_table table;
};

static const struct arrays good = {
	.rows = { { 0, 0 }, { 0x20, 1 }, { 0xffff, 2 }, { 0, 2 }, { 1, 0 } },
	.first_rows = { 0, 3, 5 },
	.rules = {
		{ .kind = KTALLY_UNWIND_NONE },
		{ .kind = KTALLY_UNWIND_REGISTER, 7, 0x3f, 16, .saved_at = { -2, -3, -4, -5, -6, -7 } },
		{ .kind = KTALLY_UNWIND_DEREF, 15, 1, -8, 16, { -2 } },
		{ .kind = KTALLY_UNWIND_END },
	},
	.table = { .first_chunk = 3, .chunk_count = CHUNKS, .row_count = ROWS, .rule_count = RULES },
};

static int verdict(const struct arrays *arrays)
{
	struct ktally_table table = arrays->table;
	void *rows = malloc(sizeof(arrays->rows)), *first_rows = malloc(sizeof(arrays->first_rows));
	void *rules = malloc(sizeof(arrays->rules));
	int result;

	must(rows && first_rows && rules);
	table.rows = memcpy(rows, arrays->rows, sizeof(arrays->rows));
	table.first_rows = memcpy(first_rows, arrays->first_rows, sizeof(arrays->first_rows));
	table.rules = memcpy(rules, arrays->rules, sizeof(arrays->rules));
	result = ktally_table_check(&table);
	free(rows);
	free(first_rows);
	free(rules);
	return result;
}

#define REFUSED(name, ...) do {								\
	struct arrays a = good;								\
											\
	__VA_ARGS__;									\
	check_number(verdict(&a), -EINVAL, "refused: %s", name);			\
} while (0)

#define ACCEPTED(name, ...) do {							\
	struct arrays a = good;								\
											\
	__VA_ARGS__;									\
	check_number(verdict(&a), 0, "accepted: %s", name);				\
} while (0)

static void sizes(void)
{
	ACCEPTED("a table", (void)a);
	ACCEPTED("the last chunk that there can be", a.table.first_chunk = KTALLY_UNWIND_CHUNKS_MAX - CHUNKS);
	REFUSED("a chunk behind it", a.table.first_chunk = KTALLY_UNWIND_CHUNKS_MAX - CHUNKS + 1);
	REFUSED("a first chunk behind all", a.table.first_chunk = KTALLY_UNWIND_CHUNKS_MAX + 1; a.table.chunk_count = 0;
		a.table.row_count = 0);
	REFUSED("a first chunk that wraps", a.table.first_chunk = UINT32_MAX);
	REFUSED("more chunks than there can be", a.table.chunk_count = KTALLY_UNWIND_CHUNKS_MAX - 2);
	REFUSED("no rules", a.table.rule_count = 0);
	REFUSED("no rules, no rows", a.table.rule_count = 0; a.table.chunk_count = 0; a.table.row_count = 0);
	REFUSED("too many rules", a.table.rule_count = KTALLY_UNWIND_RULES_MAX + 1);
	ACCEPTED("no chunk", a.table.chunk_count = 0; a.table.row_count = 0);
	REFUSED("no chunk but rows", a.table.chunk_count = 0);
}

/* All rows could be of one chunk. */
static void increase(struct arrays *arrays)
{
	for (u16 i = 0; i < ROWS; i++)
		arrays->rows[i].offset = i;
}

static void rows(void)
{
	REFUSED("rows before the first chunk's", a.first_rows[0] = 1);
	REFUSED("rows after the last chunk's", a.first_rows[2] = 4);
	REFUSED("fewer rows than the last chunk has", a.table.row_count = 4);
	REFUSED("the last chunk without rows", increase(&a); a.first_rows[1] = 5);
	REFUSED("the first chunk without rows", increase(&a); a.first_rows[1] = 0);
	REFUSED("a row behind the last", increase(&a); a.first_rows[1] = 6);
	REFUSED("rows that no chunk has", a.first_rows[0] = 3; a.first_rows[1] = 5; a.table.chunk_count = 1);
	REFUSED("a chunk that goes back", a.first_rows[1] = 6);
	REFUSED("a chunk with more rows than there are", a.first_rows[1] = UINT32_MAX);
	REFUSED("a chunk that does not begin at its beginning", a.rows[3].offset = 1; a.rows[4].offset = 2);
	REFUSED("two rows for one offset", a.rows[2].offset = 0x20);
	REFUSED("rows out of order", a.rows[2].offset = 0x1f);
	ACCEPTED("the last rule", a.rows[4].rule = 3);
	REFUSED("a rule that there is not", a.rows[4].rule = 4);
	REFUSED("a rule that there is not, in a first row", a.rows[0].rule = 4);
	REFUSED("any rule in the place of one", a.rows[1].rule = 0xffff);
}

static void rules(void)
{
	u8 kind;

	REFUSED("a first rule that says something", a.rules[0] = a.rules[3]);
	REFUSED("a rule of no kind", a.rules[3].kind = KTALLY_UNWIND_SIGNAL + 1);
	REFUSED("a rule of no kind at all", a.rules[3].kind = 0xff);
	ACCEPTED("a signal frame", a.rules[3].kind = KTALLY_UNWIND_SIGNAL);
	ACCEPTED("a procedure linkage table", a.rules[2].kind = KTALLY_UNWIND_PLT);
	REFUSED("register 16", a.rules[1].cfa_register = 16);
	REFUSED("register 255", a.rules[2].cfa_register = 255);
	REFUSED("a seventh saved register", a.rules[1].saved = 0x7f);
	REFUSED("a sixteenth", a.rules[1].saved |= 0x8000);
	ACCEPTED("places from rbp", a.rules[1].saved |= 0x3f << KTALLY_UNWIND_SAVED_FROM_RBP);
	REFUSED("places from rbp of what is not saved", a.rules[2].saved |= 2 << KTALLY_UNWIND_SAVED_FROM_RBP);
	REFUSED("a place for what is not saved", a.rules[1].saved = 0x1f);
	REFUSED("a second offset where one counts", a.rules[1].deref_offset = 8);
	for (kind = 0; kind <= KTALLY_UNWIND_SIGNAL; kind++) {
		if (kind != KTALLY_UNWIND_NONE && kind != KTALLY_UNWIND_END && kind != KTALLY_UNWIND_SIGNAL)
			continue;
		REFUSED("a register of what needs none", a.rules[3].kind = kind; a.rules[3].cfa_register = 7);
		REFUSED("saved registers of what saves none", a.rules[3].kind = kind; a.rules[3].saved = 1);
		REFUSED("a place where nothing is saved", a.rules[3].kind = kind; a.rules[3].saved_at[5] = 1);
		REFUSED("an offset of what needs none", a.rules[3].kind = kind; a.rules[3].cfa_offset = 8);
		REFUSED("a second offset of what needs none", a.rules[3].kind = kind; a.rules[3].deref_offset = 8);
	}
}

int main(void)
{
	sizes();
	rows();
	rules();
	return check_end();
}
