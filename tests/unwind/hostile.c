// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "hostile.h"
#include "table.h"
#include "unwind_user.h"

#define CHUNKS_MAX	3
#define CHUNK_ROWS_MAX	8
#define RULES_MAX	12
#define DEPTH_MAX	64
#define CODE		0x400000ULL
#define CODE_BYTES	((u64)CHUNKS_MAX << KTALLY_UNWIND_CHUNK_SHIFT)
#define STACK_BYTES	2048
#define STACKS		2

/* The second is at the very end of what a process can have. */
static const u64 stack_at[STACKS] = { 0x7f0000000000, TASK_SIZE_MAX - STACK_BYTES };

static struct {
	const u8 *data;
	size_t bytes;
	u8 stacks[STACKS][STACK_BYTES];
	struct ktally_unwind_row *rows;
	u32 *first_rows;
	struct ktally_unwind_rule *rules;
	struct ktally_table table;
	struct pt_regs registers;
	struct mapping mapping;
	u64 reads;
} it;

bool read_user(u64 address, void *to, size_t bytes)
{
	it.reads++;
	for (unsigned int i = 0; i < STACKS; i++) {
		if (address >= stack_at[i] && address + bytes <= stack_at[i] + STACK_BYTES) {
			memcpy(to, &it.stacks[i][address - stack_at[i]], bytes);
			return true;
		}
	}
	return false;
}

/* The next bytes; zeros when there are no more. */
static void take(void *to, size_t bytes)
{
	size_t some = bytes < it.bytes ? bytes : it.bytes;

	memset(to, 0, bytes);
	memcpy(to, it.data, some);
	it.data += some;
	it.bytes -= some;
}

static u32 below(u32 bound)
{
	u16 number;

	take(&number, sizeof(number));
	return number % bound;
}

/* Arrays are exactly as large as the table says, so that the sanitizer sees what goes beyond. */
static void take_table(void)
{
	struct ktally_table *table = &it.table;
	u32 i;

	memset(table, 0, sizeof(*table));
	table->chunk_count = below(8) ? CHUNKS_MAX : below(CHUNKS_MAX);
	table->first_chunk = below(8) ? 0 : below(2 * CHUNKS_MAX);
	table->rule_count = 1 + below(RULES_MAX);
	it.first_rows = malloc((table->chunk_count + 1) * sizeof(*it.first_rows));
	must(it.first_rows);
	it.first_rows[0] = 0;
	for (i = 0; i < table->chunk_count; i++)
		it.first_rows[i + 1] = it.first_rows[i] + (below(64) ? 1 + below(CHUNK_ROWS_MAX) : 0);
	table->row_count = it.first_rows[table->chunk_count];
	it.rows = malloc((table->row_count + 1) * sizeof(*it.rows));
	it.rows = realloc(it.rows, table->row_count ? table->row_count * sizeof(*it.rows) : 1);
	it.rules = malloc(table->rule_count * sizeof(*it.rules));
	table->memo = calloc(1, KTALLY_TABLE_MEMO_BYTES);
	must(it.rows && it.rules && table->memo);
	take(it.rows, table->row_count * sizeof(*it.rows));
	take(it.rules, table->rule_count * sizeof(*it.rules));
	table->rows = it.rows;
	table->first_rows = it.first_rows;
	table->rules = it.rules;
}

static void mend_rule(struct ktally_unwind_rule *rule)
{
	u8 kind = rule->kind % (KTALLY_UNWIND_SIGNAL + 1);

	if (kind == KTALLY_UNWIND_SIGNAL || (kind == KTALLY_UNWIND_NONE && rule->kind & 0x80)) {
		*rule = (struct ktally_unwind_rule) { .kind = kind };
		return;
	}
	/* The outermost frame comes soon enough by itself. */
	if (kind == KTALLY_UNWIND_NONE || kind == KTALLY_UNWIND_END)
		kind = KTALLY_UNWIND_REGISTER;
	rule->kind = kind;
	rule->cfa_register = rule->cfa_register & 0x70 ? 6 + rule->cfa_register % 2 : rule->cfa_register % 16;
	if (rule->cfa_offset & 7 << 20)
		rule->cfa_offset = (rule->cfa_offset >> 8 & 15) * 8;
	if (rule->deref_offset & 7 << 20)
		rule->deref_offset %= 16;
	rule->saved &= ((1 << KTALLY_UNWIND_SAVED) - 1) * (1 | 1 << KTALLY_UNWIND_SAVED_FROM_RBP);
	rule->saved &= (u16)(~(~0U << KTALLY_UNWIND_SAVED_FROM_RBP) | rule->saved << KTALLY_UNWIND_SAVED_FROM_RBP);
	for (unsigned int i = 0; i < KTALLY_UNWIND_SAVED; i++) {
		if (rule->saved_at[i] & 7 << 8)
			rule->saved_at[i] %= 32;
		if (!(rule->saved & 1 << i))
			rule->saved_at[i] = 0;
	}
	if (rule->kind == KTALLY_UNWIND_REGISTER)
		rule->deref_offset = 0;
}

static void mend_table(void)
{
	struct ktally_table *table = &it.table;
	u32 i, row;

	memset(&it.rules[0], 0, sizeof(it.rules[0]));
	for (i = 1; i < table->rule_count; i++)
		mend_rule(&it.rules[i]);
	for (i = 0; i < table->chunk_count; i++) {
		for (row = it.first_rows[i]; row < it.first_rows[i + 1]; row++) {
			if (row == it.first_rows[i])
				it.rows[row].offset = 0;
			else if (it.rows[row].offset <= it.rows[row - 1].offset)
				it.rows[row].offset = it.rows[row - 1].offset + 1;
			it.rows[row].rule %= table->rule_count;
			if (!it.rows[row].rule && row % 8)
				it.rows[row].rule = (u16)(table->rule_count - 1);
		}
	}
}

/* A word that is often where something is. */
static u64 likely_word(u64 word)
{
	switch (word >> 60) {
	case 0 ... 7:
		return CODE + word % CODE_BYTES;
	case 8 ... 11:
		return stack_at[0] + (word % STACK_BYTES & ~7ULL);
	case 12 ... 13:
		return stack_at[1] + (word % STACK_BYTES & ~7ULL);
	case 14:
		return word % TASK_SIZE_MAX;
	default:
		return word;
	}
}

static void take_process(void)
{
	unsigned long *registers = (unsigned long *)&it.registers;
	u64 words[STACK_BYTES / sizeof(u64)];
	size_t i, stack;

	take(&it.registers, sizeof(it.registers));
	for (i = 0; i < sizeof(it.registers) / sizeof(*registers); i++)
		registers[i] = likely_word(registers[i]);
	if (it.registers.flags & 0xf0)
		it.registers.ip = CODE + it.registers.ip % CODE_BYTES;
	if (it.registers.flags & 0xf00)
		it.registers.sp = stack_at[it.registers.sp & 1] + it.registers.sp % (STACK_BYTES / 2);
	if (it.registers.flags & 0x7000)
		it.registers.bp = it.registers.sp + (it.registers.bp & 0x1f8);
	it.registers.cs = it.registers.flags % 16 ? __USER_CS : __USER32_CS;
	for (stack = 0; stack < STACKS; stack++) {
		take(words, sizeof(words));
		for (i = 0; i < STACK_BYTES / sizeof(u64); i++)
			words[i] = likely_word(words[i]);
		memcpy(it.stacks[stack], words, sizeof(words));
	}
	it.mapping = (struct mapping) { CODE, CODE + CODE_BYTES, 0, 7, &it.table };
}

static void walk(struct hostile *hostile)
{
	struct ktally_view view = { &it.mapping, 1 };
	u64 frames[DEPTH_MAX + 1];
	unsigned int depth = 1 + below(DEPTH_MAX), count;
	u8 end = 0xff;

	frames[depth] = 0x1234567890abcdef;
	it.reads = 0;
	count = ktally_unwind_user(&it.registers, &view, frames, depth, &end);
	must(!opened.rcu && !opened.faults_off && !opened.access);
	must(count <= depth && frames[depth] == 0x1234567890abcdef);
	must(end > KTALLY_END_NONE && end <= KTALLY_END_FOREIGN);
	must(end != KTALLY_END_TRUNCATED || count == depth || count >= KTALLY_UNWIND_MAPPINGS);
	/* A signal frame is what has most words. */
	must(it.reads <= 17ULL * depth);
	hostile->walks++;
	hostile->frames += count;
	hostile->ends[end]++;
}

void hostile_try(struct hostile *hostile, const u8 *data, size_t bytes)
{
	it.data = data;
	it.bytes = bytes;
	take_table();
	if (ktally_table_check(&it.table)) {
		hostile->refused++;
		mend_table();
	}
	if (!ktally_table_check(&it.table)) {
		take_process();
		walk(hostile);
	}
	free(it.table.memo);
	free(it.rows);
	free(it.first_rows);
	free(it.rules);
}
