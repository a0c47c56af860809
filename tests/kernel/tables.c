// SPDX-License-Identifier: GPL-2.0
/*
 * Unwind tables: what is accepted, and from whom, and how much of it.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "table.h"
#include "workload.h"

#define PARAMETERS "/sys/module/ktally/parameters/"
#define LIMIT PARAMETERS "tables_limit_mb"
#define USER_LIMIT PARAMETERS "tables_user_limit_mb"

static struct session session;

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
	table_begin(numbers[0]);		\
	table_make_small();				\
	change;					\
	EXPECT_EQ(error, table_load(session.fd)) {	\
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
	REFUSED(-EINVAL, table.rules[0] = table.rules[1]);
	REFUSED(-EINVAL, table.rules[1].kind = KTALLY_UNWIND_SIGNAL + 1);
	REFUSED(-EINVAL, table.rules[1].cfa_register = 1);
	REFUSED(-EINVAL, (table.rules[1].kind = KTALLY_UNWIND_REGISTER, table.rules[1].cfa_register = 16));
	REFUSED(-EINVAL, (table.rules[1].kind = KTALLY_UNWIND_REGISTER, table.rules[1].saved = 0x40));
	EXPECT_EQ(0, session_figure(&session, "tables_bytes"));

	table_begin(numbers[0]);
	table_make_small();
	table.request.evicted = 1;
	EXPECT_EQ(-1, ioctl(session.fd, KTALLY_IOC_LOAD_TABLE, &table.request));
	EXPECT_EQ(EINVAL, errno);
	session_close(&session);
}

TEST(what_is_accepted)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU, .capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES, .ring_bytes = KTALLY_RING_BYTES_MIN,
	};
	static struct session other;

	number_files(_metadata);
	table_begin(numbers[0]);
	table_make_small();
	EXPECT_EQ(0, table_load(session.fd));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(12288, session_figure(&session, "tables_bytes"));
	EXPECT_EQ(-EEXIST, table_load(session.fd));
	table_make_large(100000);
	EXPECT_EQ(-EEXIST, table_load(session.fd));
	EXPECT_EQ(0, table_replace(session.fd));
	EXPECT_EQ(0, table.request.evicted);
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(409600, session_figure(&session, "tables_bytes"));

	/* Nothing is known of a file: that is a table, too. */
	table_begin(numbers[1]);
	EXPECT_EQ(-EFAULT, (table.request.first_rows = 0, table_load(session.fd)));
	table_begin(numbers[1]);
	table.first_rows[0] = 0;
	EXPECT_EQ(0, table_load(session.fd));
	EXPECT_EQ(2, session_figure(&session, "tables"));

	/* They stay for as long as there is a session that they are for. */
	ASSERT_EQ(0, session_open(&other, &setup, false));
	session_close(&session);
	EXPECT_EQ(2, session_figure(&other, "tables"));
	session_close(&other);
	session.fd = device_open();
	EXPECT_EQ(0, session_figure(&session, "tables"));
	EXPECT_EQ(0, session_figure(&session, "tables_bytes"));
	close(session.fd);
}

/* ------------------------------------------------------------------------------------------------ who may */

static int load_unprivileged(void *argument)
{
	(void)argument;
	become_nobody(0);
	return -table_load(device_open());
}

/* Who opened the session does not suffice: a table is for the whole host. */
static int load_in_given_session(void *argument)
{
	become_nobody(0);
	return -table_load(*(int *)argument);
}

static int load_with_capability(void *argument)
{
	(void)argument;
	become_nobody(1ULL << CAP_PERFMON);
	return -table_load(device_open());
}

TEST(who_may_load)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	number_files(_metadata);
	table_begin(numbers[0]);
	table_make_small();
	EXPECT_EQ(EPERM, wait_for_child(start_child(load_unprivileged, NULL)));
	EXPECT_EQ(0, session_figure(&session, "tables"));
	EXPECT_EQ(EPERM, wait_for_child(start_child(load_in_given_session, &session.fd)));
	EXPECT_EQ(0, session_figure(&session, "tables"));
	EXPECT_EQ(0, wait_for_child(start_child(load_with_capability, NULL)));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	session_close(&session);
}

/* A descriptor that somebody forgot about, and one that was set up without files, keep no tables. */
TEST(who_keeps_them)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = KTALLY_RING_BYTES_MIN };
	static struct session other;
	int forgotten = device_open();

	ASSERT_LE(0, forgotten);
	number_files(_metadata);
	ASSERT_EQ(0, session_open(&other, &setup, false));
	table_begin(numbers[0]);
	table_make_small();
	EXPECT_EQ(0, table_load(forgotten));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	session_close(&session);
	EXPECT_EQ(0, session_figure(&other, "tables"));
	EXPECT_EQ(0, session_figure(&other, "tables_bytes"));
	EXPECT_NE(0, table_load(forgotten));
	EXPECT_EQ(0, session_figure(&other, "tables_bytes"));
	session_close(&other);
	close(forgotten);
}

/* ------------------------------------------------------------------------------------------------ limits */

/* Each takes 400 kB and a bit: of a megabyte there are two. */
static int load_large(int fd, unsigned int file)
{
	table_begin(numbers[file]);
	table_make_large(100000);
	return table_load(fd);
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
	table_begin(numbers[0]);
	table_make_large(300000);
	EXPECT_EQ(-E2BIG, table_load(session.fd));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, load_large(session.fd, i));
		EXPECT_EQ(0, table.request.evicted);
		sleep_seconds(0.05);
	}
	/* The first was not used for longest. */
	EXPECT_EQ(0, load_large(session.fd, 2));
	EXPECT_EQ(1, table.request.evicted);
	EXPECT_EQ(2, session_figure(&session, "tables"));
	EXPECT_EQ(819200, session_figure(&session, "tables_bytes"));
	EXPECT_EQ(-EEXIST, load_large(session.fd, 1));
	EXPECT_EQ(-EEXIST, load_large(session.fd, 2));
	EXPECT_EQ(0, load_large(session.fd, 0));
	EXPECT_EQ(1, table.request.evicted);
	/* One that is refused when it has been looked at has cost others their place, but takes none. */
	sleep_seconds(0.05);
	table_begin(numbers[4]);
	table_make_large(100000);
	table.rows[99999].rule = 7;
	EXPECT_EQ(-EINVAL, table_load(session.fd));
	EXPECT_EQ(1, session_figure(&session, "tables"));
	EXPECT_EQ(409600, session_figure(&session, "tables_bytes"));

	/* A user can take no more than his part: it is his own that go. */
	ASSERT_EQ(0, write_file(LIMIT, "2"));
	ASSERT_EQ(0, write_file(USER_LIMIT, "1"));
	table_begin(numbers[5]);
	table_make_large(300000);
	EXPECT_EQ(-E2BIG, table_load(session.fd));
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

TEST_HARNESS_MAIN
