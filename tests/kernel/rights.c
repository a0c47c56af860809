// SPDX-License-Identifier: GPL-2.0
/*
 * What a descriptor may do: rights that are given up, and what asks for those of whoever calls, when somebody handed the descriptor
 * to a less privileged process.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "table.h"
#include "workload.h"

static struct session session;

static const struct ktally_setup both = {
	.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
	.capture = KTALLY_CAPTURE_USER,
	.ring_bytes = KTALLY_RING_BYTES_MIN,
	.threads = 1024,
	.keep_ns = 1000000,
	.rate = 99,
};

/* ------------------------------------------------------------------------------------------------ what is given up */

static int call_setup(int fd)
{
	struct ktally_setup setup = both;

	return device_setup(fd, &setup);
}

static int call_tune(int fd)
{
	int error = device_set_rate(fd, 98);

	return error == device_set_keep(fd, 2000000, 0) ? error : 1;
}

static int call_enable(int fd)
{
	int error = device_enable(fd);

	return error == device_disable(fd) ? error : 1;
}

static int call_flush(int fd)
{
	return device_flush(fd, 0);
}

static int call_open_file(int fd)
{
	char path[KTALLY_PATH_BYTES_MAX];
	uint32_t status;

	return device_open_file(fd, 0xffffff, path, &status);
}

static int call_load_table(int fd)
{
	table_begin(0xffffff);
	return table_load(fd);
}

static int call_space_of(int fd)
{
	uint64_t mm_id;

	return device_space_of(fd, getpid(), &mm_id);
}

/* In the order of the rights' bits; what each call answers in a session that is set up when it has its right. */
static const struct {
	uint64_t right;
	int (*call)(int fd);
	int otherwise;
} calls[] = {
	{ KTALLY_RIGHT_SETUP, call_setup, -EBUSY },
	{ KTALLY_RIGHT_ENABLE, call_enable, 0 },
	{ KTALLY_RIGHT_TUNE, call_tune, 0 },
	{ KTALLY_RIGHT_FLUSH, call_flush, 0 },
	{ KTALLY_RIGHT_OPEN_FILE, call_open_file, -ENOENT },
	{ KTALLY_RIGHT_LOAD_TABLE, call_load_table, -ENOENT },
	{ KTALLY_RIGHT_SPACE_OF, call_space_of, 0 },
};

TEST(each_right_is_for_its_own_calls)
{
	struct ktally_setup setup = both;
	struct ktally_info info;
	uint64_t rights;
	size_t i, other;
	int fd;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		fd = device_open();
		ASSERT_EQ(0, device_setup(fd, &setup));
		rights = KTALLY_RIGHTS_ALL & ~calls[i].right;
		ASSERT_EQ(0, device_restrict(fd, &rights));
		EXPECT_EQ(KTALLY_RIGHTS_ALL & ~calls[i].right, rights);
		ASSERT_EQ(0, device_info(fd, &info));
		EXPECT_EQ(rights, info.rights);
		for (other = 0; other < ARRAY_SIZE(calls); other++)
			EXPECT_EQ(other == i ? -EPERM : calls[other].otherwise, calls[other].call(fd)) {
				TH_LOG("call %zu without right %zu", other, i);
			}
		close(fd);
	}
}

static int restrict_to_flush(void *argument)
{
	uint64_t rights = KTALLY_RIGHT_FLUSH;

	return -device_restrict(*(int *)argument, &rights);
}

static int only_reads(void *argument)
{
	return session_run(argument, 0.5) || session_total(argument).samples < 10;
}

TEST(what_is_given_up_does_not_come_back)
{
	pid_t spinner = start_spinner(-1);
	struct ktally_setup setup = both;
	uint64_t rights;
	int fd = device_open();

	/* Before SETUP as well; and by whoever has a copy, for all. */
	rights = KTALLY_RIGHT_SETUP | KTALLY_RIGHT_ENABLE | KTALLY_RIGHT_FLUSH;
	ASSERT_EQ(0, device_restrict(fd, &rights));
	ASSERT_EQ(0, session_adopt(&session, fd, &setup, false));
	ASSERT_EQ(0, device_enable(fd));
	EXPECT_EQ(-EPERM, device_set_rate(fd, 19));
	EXPECT_EQ(0, wait_for_child(start_child(restrict_to_flush, &fd)));
	EXPECT_EQ(-EPERM, device_disable(fd));
	rights = KTALLY_RIGHTS_ALL;
	ASSERT_EQ(0, device_restrict(fd, &rights));
	EXPECT_EQ(KTALLY_RIGHT_FLUSH, rights);
	EXPECT_EQ(-EPERM, device_disable(fd));
	EXPECT_EQ(0, device_flush(fd, 0));
	rights = 0;
	ASSERT_EQ(0, device_restrict(fd, &rights));
	EXPECT_EQ(-EPERM, device_flush(fd, 0));

	/* What remains is to read. */
	EXPECT_EQ(0, wait_for_child(start_child(only_reads, &session)));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(spinner);
}

TEST(wrong_arguments)
{
	struct ktally_restrict argument = { .size = sizeof(argument), .rights = KTALLY_RIGHTS_ALL + 1 };
	struct ktally_info info;
	int fd = device_open();

	EXPECT_EQ(-1, ioctl(fd, KTALLY_IOC_RESTRICT, &argument));
	EXPECT_EQ(EINVAL, errno);
	argument.rights = 0;
	argument.reserved = 1;
	EXPECT_EQ(-1, ioctl(fd, KTALLY_IOC_RESTRICT, &argument));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, device_info(fd, &info));
	EXPECT_EQ(KTALLY_RIGHTS_ALL, info.rights);
	close(fd);
}

/* ------------------------------------------------------------------------------------------------ who calls */

/* Without a right of his own: what reaches beyond the session is refused, what makes it cost less is not. */
static int rule_as_nobody(void *argument)
{
	int fd = *(int *)argument;

	become_nobody(0);
	if (call_load_table(fd) != -EPERM || call_open_file(fd) != -EPERM)
		return 1;
	if (device_set_rate(fd, 10000) != -EPERM || device_set_rate(fd, 100) != -EPERM || device_set_rate(fd, 50))
		return 2;
	if (device_set_rate(fd, 99) != -EPERM)
		return 3;
	if (device_set_keep(fd, 0, 0) != -EPERM || device_set_keep(fd, 5000000, 1000) || device_set_keep(fd, 5000000, 999) != -EPERM)
		return 4;
	if (device_enable(fd) || device_flush(fd, 0) || device_disable(fd))
		return 5;
	return 0;
}

static int rule_with_capability(void *argument)
{
	int fd = *(int *)argument;

	become_nobody(1ULL << CAP_PERFMON);
	if (device_set_rate(fd, 1000) || device_set_keep(fd, 0, 0))
		return 1;
	/* This one takes CAP_SYS_PTRACE as well. */
	if (call_open_file(fd) != -EPERM || call_load_table(fd) != -ENOENT)
		return 2;
	set_capabilities(0);
	return device_set_rate(fd, 1001) == -EPERM ? 0 : 3;
}

TEST(nobody_does_not_rule_the_host_with_a_descriptor_of_root)
{
	struct ktally_setup setup = both;
	int fd = device_open();

	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(0, wait_for_child(start_child(rule_as_nobody, &fd)));
	EXPECT_EQ(0, wait_for_child(start_child(rule_with_capability, &fd)));
	close(fd);
}

/* In one's own session one's own processes are sampled: as much as one likes. */
TEST(ones_own_session)
{
	struct ktally_setup setup = both;
	int fd;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	fd = device_open();
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(0, device_set_rate(fd, 1000));
	EXPECT_EQ(0, device_set_keep(fd, 0, 0));
	close(fd);
}

/* ------------------------------------------------------------------------------------------------ fdinfo */

static const char *const of_host[] = { "tables", "tables_bytes", "module_bytes", "spaces", "files_known", "files_held" };

static int look_as_nobody(void *argument)
{
	size_t i;

	become_nobody(0);
	for (i = 0; i < ARRAY_SIZE(of_host); i++)
		if (session_figure(argument, of_host[i]) != -1)
			return 1;
	return session_figure(argument, "rate") != 99;
}

TEST(figures_of_the_host_are_for_those_who_may_see_it)
{
	struct ktally_setup setup = both;
	size_t i;

	ASSERT_EQ(0, session_open(&session, &setup, false));
	for (i = 0; i < ARRAY_SIZE(of_host); i++)
		EXPECT_LE(0, session_figure(&session, of_host[i])) {
			TH_LOG("figure %zu", i);
		}
	EXPECT_EQ(0, wait_for_child(start_child(look_as_nobody, &session)));
	session_close(&session);
}

TEST_HARNESS_MAIN
