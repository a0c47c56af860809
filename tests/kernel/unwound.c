// SPDX-License-Identifier: GPL-2.0
/* Stacks that are taken by unwind tables: the old one or the new one, while they are loaded. */
#include <pthread.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "table.h"
#include "workload.h"

static struct session session;

/* Three functions without frame pointers, and with one that leads nowhere. */
extern const char outermost[], outermost_call[], outer[], outer_call[], inner[], inner_end[];
void run_outermost(void);
__asm__(".pushsection .text\n"
	".globl run_outermost\n"
	"run_outermost:\n"
	"outermost:\n"
	"	call outer\n"
	"outermost_call:\n"
	"	nop\n"
	"outer:\n"
	"	push $0\n"
	"	sub $24, %rsp\n"
	"	call inner\n"
	"outer_call:\n"
	"	nop\n"
	"inner:\n"
	"	mov $1, %ebp\n"
	"1:	jmp 1b\n"
	"inner_end:\n"
	".popsection\n");

static int run_functions(void *argument)
{
	(void)argument;
	pin_to_cpu(0, 1);
	run_outermost();
	return 1;
}

static uint64_t text;		/* offset of outermost[] in this program's file */
static unsigned int whole, leaf_only, no_table, others;
static uint32_t own_number;

static uint64_t offset_in_file(const char *address)
{
	return text + (uint64_t)(address - outermost);
}

static void check_functions(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	const __u64 *frames;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	stack = session_stack(from, sample->stack_id);
	frames = stack->frames;
	if (!stack->user_frames || !frame_is_file(frames[0]) || frame_offset(frames[0]) < offset_in_file(inner) ||
	    frame_offset(frames[0]) >= offset_in_file(inner_end))
		return;
	own_number = frame_file(frames[0]);
	if (stack->user_frames == 3 && stack->user_end == KTALLY_END_COMPLETE &&
	    frame_offset(frames[1]) == offset_in_file(outer_call) - 1 &&
	    frame_offset(frames[2]) == offset_in_file(outermost_call) - 1)
		whole++;
	else if (stack->user_frames == 1 && stack->user_end == KTALLY_END_COMPLETE)
		leaf_only++;
	else if (stack->user_frames == 1 && stack->user_end == KTALLY_END_NO_TABLE)
		no_table++;
	else
		others++;
}

static void add_row(const char *address, uint16_t rule)
{
	table.rows[table.request.row_count++] = (struct ktally_unwind_row) { (uint16_t)offset_in_file(address), rule };
}

/* The functions may lie across the border of two chunks, of which these rows would know nothing. */
static void make_own_table(uint16_t rule_of_inner)
{
	table_begin(own_number);
	table.rules[1] = (struct ktally_unwind_rule) { KTALLY_UNWIND_REGISTER, 7, .cfa_offset = 8 };
	table.rules[2] = (struct ktally_unwind_rule) { KTALLY_UNWIND_REGISTER, 7, .cfa_offset = 40 };
	table.rules[3] = (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_END };
	table.request.rule_count = 4;
	table.rows[table.request.row_count++] = (struct ktally_unwind_row) { 0, 0 };
	add_row(outermost, 3);
	add_row(outer, 2);
	add_row(inner, rule_of_inner);
	add_row(inner_end, 0);
	table.first_rows[0] = 0;
	table.first_rows[1] = table.request.row_count;
	table.request.first_chunk = (uint32_t)(text >> 16);
	table.request.chunk_count = 1;
}

static bool stop_loading;

/* By turns the one and the other. */
static void *load_by_turns(void *argument)
{
	long *rounds = argument;

	while (!__atomic_load_n(&stop_loading, __ATOMIC_RELAXED)) {
		make_own_table(*rounds % 2 ? 1 : 3);
		if (table_replace(session.fd))
			return NULL;
		++*rounds;
	}
	return NULL;
}

/* Until so many samples have come, however slowly the machine runs. */
static void run_until(struct __test_metadata *_metadata, const unsigned int *count, unsigned int enough)
{
	int rounds;

	for (rounds = 0; rounds < 100 && *count < enough; rounds++)
		ASSERT_EQ(0, session_run(&session, 0.2));
	EXPECT_LE(enough, *count);
}

TEST(stacks_by_tables)
{
	pid_t child;
	struct ktally_setup setup;
	pthread_t thread;
	long rounds = 0;

	text = offset_of(outermost);
	ASSERT_EQ(text >> 16, offset_in_file(inner_end) >> 16);
	child = start_child(run_functions, NULL);
	setup = files_setup(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_functions;
	ASSERT_EQ(0, device_enable(session.fd));
	run_until(_metadata, &no_table, 20);
	TH_LOG("without a table: %u whole, %u of the leaf only, %u no table, %u others", whole, leaf_only, no_table, others);
	EXPECT_EQ(0, whole + leaf_only + others);

	ASSERT_LT(0, own_number);
	make_own_table(1);
	ASSERT_EQ(0, table_load(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.2));
	whole = no_table = 0;
	run_until(_metadata, &whole, 20);
	TH_LOG("with a table: %u whole, %u of the leaf only, %u no table, %u others", whole, leaf_only, no_table, others);
	EXPECT_EQ(0, leaf_only + no_table + others);

	/* No stack is taken by a part of the one and a part of the other, or by none. */
	ASSERT_EQ(0, pthread_create(&thread, NULL, load_by_turns, &rounds));
	ASSERT_EQ(0, session_run(&session, is_slow() ? 2 : 4));
	__atomic_store_n(&stop_loading, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	TH_LOG("%ld tables by turns: %u whole, %u of the leaf only, %u no table, %u others", rounds, whole, leaf_only, no_table,
	       others);
	EXPECT_GT(rounds, 20);
	EXPECT_GT(leaf_only, 20);
	EXPECT_GT(whole, 20);
	EXPECT_EQ(0, no_table + others);
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(12288, session_figure(&session, "tables_bytes"));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
