// SPDX-License-Identifier: GPL-2.0
/*
 * Unwind tables: what is accepted and from whom, how much of it, and that stacks are taken by them, the old or the new one, while
 * they are loaded.
 */
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

#define NOBODY 65534
#define PARAMETERS "/sys/module/ktally/parameters/"
#define LIMIT PARAMETERS "tables_limit_mb"
#define USER_LIMIT PARAMETERS "tables_user_limit_mb"

static struct session session;

/* ------------------------------------------------------------------------------------------------ tables */

#define ROWS_MAX 400000
#define CHUNKS_MAX 8
#define RULES_MAX 8

/* A table to be loaded, and the request for it. */
struct table {
	struct ktally_unwind_row rows[ROWS_MAX];
	uint32_t first_rows[CHUNKS_MAX + 1];
	struct ktally_unwind_rule rules[RULES_MAX];
	struct ktally_load_table request;
};

static struct table table;

static const struct ktally_unwind_rule none, end_rule = { .kind = KTALLY_UNWIND_END };

static void begin_table(uint32_t file)
{
	table.rules[0] = none;
	table.request = (struct ktally_load_table) {
		.size = sizeof(table.request),
		.file = file,
		.rows = (uintptr_t)table.rows,
		.first_rows = (uintptr_t)table.first_rows,
		.rules = (uintptr_t)table.rules,
		.rule_count = 1,
	};
}

/* So many rows, by turns with the last two rules. */
static void make_large(uint32_t rows)
{
	uint32_t i;

	for (i = 0; i < rows; i++)
		table.rows[i] = (struct ktally_unwind_row) { (uint16_t)i, (uint16_t)(i % 2) };
	for (i = 0; i * 65536 < rows; i++)
		table.first_rows[i] = i * 65536;
	table.first_rows[i] = rows;
	table.rules[1] = end_rule;
	table.request.rule_count = 2;
	table.request.chunk_count = i;
	table.request.row_count = rows;
}

/* Two chunks with two rows each. */
static void make_small(void)
{
	make_large(4);
	table.rows[2].offset = 0;
	table.rows[3].offset = 0xffff;
	table.first_rows[1] = 2;
	table.first_rows[2] = 4;
	table.request.chunk_count = 2;
}

static int load(int fd)
{
	table.request.evicted = 0;
	return ioctl(fd, KTALLY_IOC_LOAD_TABLE, &table.request) ? -errno : 0;
}

static int replace(int fd)
{
	int error;

	table.request.flags = KTALLY_LOAD_TABLE_REPLACE;
	error = load(fd);
	table.request.flags = 0;
	return error;
}

/* ------------------------------------------------------------------------------------------------ files with numbers */

#define FILES 6
#define DIRECTORY "/tmp/ktally-tables"

static uint32_t numbers[FILES];
static unsigned int numbered;

static void note_file(struct session *from, const struct ktally_record *record)
{
	const struct ktally_stack *stack = (const void *)record;
	uint64_t leaf;
	unsigned int i;

	(void)from;
	if (record->type != KTALLY_RECORD_STACK || !stack->user_frames)
		return;
	leaf = stack->frames[0];
	if (!frame_is_file(leaf) || frame_offset(leaf) < CODE_OFFSET || frame_offset(leaf) > CODE_END)
		return;
	for (i = 0; i < numbered; i++)
		if (numbers[i] == frame_file(leaf))
			return;
	if (numbered < FILES)
		numbers[numbered++] = frame_file(leaf);
}

static int run_files(void *argument)
{
	code functions[FILES];
	char path[64];
	int i;

	(void)argument;
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), DIRECTORY "/%d", i);
		write_code(path, (char)('a' + i));
		functions[i] = map_code(path, NULL);
	}
	for (i = 0; functions[i]; i = (i + 1) % FILES)
		functions[i](1000000);
	return 1;
}

/* Has a session see some files, and goes on having it open. */
static void number_files(struct __test_metadata *_metadata)
{
	struct ktally_setup setup;
	pid_t child;
	int rounds;

	mkdir(DIRECTORY, 0755);
	child = start_child(run_files, NULL);
	setup = files_setup(&child, 1);
	numbered = 0;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_file;
	ASSERT_EQ(0, device_enable(session.fd));
	for (rounds = 0; rounds < 100 && numbered < FILES; rounds++)
		ASSERT_EQ(0, session_run(&session, 0.2));
	ASSERT_EQ(FILES, numbered);
	ASSERT_EQ(0, device_disable(session.fd));
	EXPECT_STREQ("", session.error);
	stop_child(child);
}

/* ------------------------------------------------------------------------------------------------ what is accepted */

#define REFUSED(error, change) do {		\
	begin_table(numbers[0]);		\
	make_small();				\
	change;					\
	EXPECT_EQ(error, load(session.fd)) {	\
		TH_LOG("%s", #change);		\
	}					\
	EXPECT_EQ(0, session_figure(&session, "tables"));	\
} while (0)

TEST(what_is_refused)
{
	number_files(_metadata);

	REFUSED(-EINVAL, table.request.size = sizeof(table.request) - 1);
	REFUSED(-EINVAL, table.request.size = 5000);
	REFUSED(-EINVAL, table.request.flags = 2);
	REFUSED(-ENOENT, table.request.file = 0);
	REFUSED(-ENOENT, table.request.file = 0xffffff);
	REFUSED(-ENOENT, table.request.file = UINT32_MAX);
	REFUSED(-EFAULT, table.request.rows = 0xffff888000000000);
	REFUSED(-EFAULT, table.request.rules = 1);
	REFUSED(-EFAULT, table.request.first_rows = UINT64_MAX - 3);
	REFUSED(-EINVAL, table.request.rule_count = 0);
	REFUSED(-EINVAL, table.request.rule_count = KTALLY_UNWIND_RULES_MAX + 1);
	REFUSED(-EINVAL, table.request.chunk_count = KTALLY_UNWIND_CHUNKS_MAX + 1);
	REFUSED(-EINVAL, table.request.chunk_count = UINT32_MAX);
	REFUSED(-EINVAL, table.request.first_chunk = KTALLY_UNWIND_CHUNKS_MAX - 1);
	REFUSED(-EINVAL, table.request.first_chunk = UINT32_MAX);
	REFUSED(-E2BIG, table.request.row_count = KTALLY_UNWIND_BYTES_MAX / 4);
	REFUSED(-E2BIG, table.request.row_count = UINT32_MAX);
	REFUSED(-EINVAL, table.request.row_count = 3);
	REFUSED(-EINVAL, table.request.row_count = 5);
	REFUSED(-EINVAL, table.first_rows[0] = 1);
	REFUSED(-EINVAL, table.first_rows[1] = 4);
	REFUSED(-EINVAL, table.first_rows[1] = 0x80000001);
	REFUSED(-EINVAL, table.rows[0].offset = 1);
	REFUSED(-EINVAL, table.rows[1].offset = 0);
	REFUSED(-EINVAL, table.rows[3].rule = 2);
	REFUSED(-EINVAL, table.rules[0] = end_rule);
	REFUSED(-EINVAL, table.rules[1].kind = KTALLY_UNWIND_SIGNAL + 1);
	REFUSED(-EINVAL, table.rules[1].cfa_register = 1);
	REFUSED(-EINVAL, (table.rules[1].kind = KTALLY_UNWIND_REGISTER, table.rules[1].cfa_register = 16));
	REFUSED(-EINVAL, (table.rules[1].kind = KTALLY_UNWIND_REGISTER, table.rules[1].saved = 0x40));
	EXPECT_EQ(0, session_figure(&session, "tables_bytes"));

	begin_table(numbers[0]);
	make_small();
	table.request.evicted = 1;
	EXPECT_EQ(-1, ioctl(session.fd, KTALLY_IOC_LOAD_TABLE, &table.request));
	EXPECT_EQ(EINVAL, errno);
	session_close(&session);
}

TEST(what_is_accepted)
{
	int fd;

	number_files(_metadata);
	begin_table(numbers[0]);
	make_small();
	EXPECT_EQ(0, load(session.fd));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(4096, session_figure(&session, "tables_bytes"));
	EXPECT_EQ(-EEXIST, load(session.fd));
	make_large(100000);
	EXPECT_EQ(-EEXIST, load(session.fd));
	EXPECT_EQ(0, replace(session.fd));
	EXPECT_EQ(0, table.request.evicted);
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(401408, session_figure(&session, "tables_bytes"));

	/* Nothing is known of a file: that is a table, too. */
	begin_table(numbers[1]);
	EXPECT_EQ(-EFAULT, (table.request.first_rows = 0, load(session.fd)));
	begin_table(numbers[1]);
	table.first_rows[0] = 0;
	EXPECT_EQ(0, load(session.fd));
	EXPECT_EQ(2, session_figure(&session, "tables"));

	/* They stay for as long as somebody who may load is there. */
	fd = device_open();
	ASSERT_LE(0, fd);
	session_close(&session);
	session.fd = fd;
	EXPECT_EQ(2, session_figure(&session, "tables"));
	close(fd);
	session.fd = device_open();
	EXPECT_EQ(0, session_figure(&session, "tables"));
	EXPECT_EQ(0, session_figure(&session, "tables_bytes"));
	close(session.fd);
}

/* ------------------------------------------------------------------------------------------------ who may */

static void become_nobody(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	int i;

	prctl(PR_SET_KEEPCAPS, 1);
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		exit(101);
	for (i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(capabilities >> 32 * i);
	if (syscall(SYS_capset, &header, data))
		exit(102);
}

static int load_unprivileged(void *argument)
{
	(void)argument;
	become_nobody(0);
	return -load(device_open());
}

/* What counts is who opened the session. */
static int load_in_given_session(void *argument)
{
	become_nobody(0);
	return -load(*(int *)argument);
}

static int load_with_capability(void *argument)
{
	(void)argument;
	become_nobody(1ULL << CAP_PERFMON);
	return -load(device_open());
}

TEST(who_may_load)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	number_files(_metadata);
	begin_table(numbers[0]);
	make_small();
	EXPECT_EQ(EPERM, wait_for_child(start_child(load_unprivileged, NULL)));
	EXPECT_EQ(0, session_figure(&session, "tables"));
	EXPECT_EQ(0, wait_for_child(start_child(load_in_given_session, &session.fd)));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	table.request.file = numbers[1];
	EXPECT_EQ(0, wait_for_child(start_child(load_with_capability, NULL)));
	EXPECT_EQ(2, session_figure(&session, "tables"));
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ limits */

/* Each takes 400 kB and a bit: of a megabyte there are two. */
static int load_large(int fd, unsigned int file)
{
	begin_table(numbers[file]);
	make_large(100000);
	return load(fd);
}

static int load_large_as_nobody(void *argument)
{
	(void)argument;
	become_nobody(1ULL << CAP_PERFMON);
	return -load_large(device_open(), 3);
}

TEST(limits)
{
	int i;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	number_files(_metadata);
	ASSERT_EQ(0, write_file(LIMIT, "1"));
	begin_table(numbers[0]);
	make_large(300000);
	EXPECT_EQ(-E2BIG, load(session.fd));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, load_large(session.fd, i));
		EXPECT_EQ(0, table.request.evicted);
		sleep_seconds(0.05);
	}
	/* The first was not used for longest. */
	EXPECT_EQ(0, load_large(session.fd, 2));
	EXPECT_EQ(1, table.request.evicted);
	EXPECT_EQ(2, session_figure(&session, "tables"));
	EXPECT_EQ(802816, session_figure(&session, "tables_bytes"));
	EXPECT_EQ(-EEXIST, load_large(session.fd, 1));
	EXPECT_EQ(-EEXIST, load_large(session.fd, 2));
	EXPECT_EQ(0, load_large(session.fd, 0));
	EXPECT_EQ(1, table.request.evicted);
	/* One that is refused when it has been looked at has cost others their place, but takes none. */
	sleep_seconds(0.05);
	begin_table(numbers[4]);
	make_large(100000);
	table.rows[99999].rule = 7;
	EXPECT_EQ(-EINVAL, load(session.fd));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(401408, session_figure(&session, "tables_bytes"));

	/* A user can take no more than his part: it is his own that go. */
	ASSERT_EQ(0, write_file(LIMIT, "2"));
	ASSERT_EQ(0, write_file(USER_LIMIT, "1"));
	begin_table(numbers[5]);
	make_large(300000);
	EXPECT_EQ(-E2BIG, load(session.fd));
	EXPECT_EQ(0, load_large(session.fd, 1));
	EXPECT_EQ(0, wait_for_child(start_child(load_large_as_nobody, NULL)));
	EXPECT_EQ(3, session_figure(&session, "tables"));
	sleep_seconds(0.05);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, load_large(session.fd, (unsigned int[]) { 2, 4, 5 }[i]));
	EXPECT_EQ(3, session_figure(&session, "tables"));
	EXPECT_EQ(-EEXIST, load_large(session.fd, 3));

	ASSERT_EQ(0, write_file(LIMIT, "128"));
	ASSERT_EQ(0, write_file(USER_LIMIT, "96"));
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ stacks by tables */

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
	begin_table(own_number);
	table.rules[1] = (struct ktally_unwind_rule) { KTALLY_UNWIND_REGISTER, 7, .cfa_offset = 8 };
	table.rules[2] = (struct ktally_unwind_rule) { KTALLY_UNWIND_REGISTER, 7, .cfa_offset = 40 };
	table.rules[3] = end_rule;
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
		if (replace(session.fd))
			return NULL;
		++*rounds;
	}
	return NULL;
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
	ASSERT_EQ(0, session_run(&session, 0.5));
	TH_LOG("without a table: %u whole, %u of the leaf only, %u no table, %u others", whole, leaf_only, no_table, others);
	EXPECT_GT(no_table, 20);
	EXPECT_EQ(0, whole + leaf_only + others);

	ASSERT_LT(0, own_number);
	make_own_table(1);
	ASSERT_EQ(0, load(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.2));
	whole = no_table = 0;
	ASSERT_EQ(0, session_run(&session, 0.5));
	TH_LOG("with a table: %u whole, %u of the leaf only, %u no table, %u others", whole, leaf_only, no_table, others);
	EXPECT_GT(whole, 20);
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
	EXPECT_EQ(0, no_table + others);
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(4096, session_figure(&session, "tables_bytes"));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
