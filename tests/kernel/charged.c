// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays for what is remembered of a process that nobody ever saw run, but only wait: its own user, though it is a kernel worker of
 * root's that looks. A user who has hundreds of sleepers uses up a share of his own, and root's processes have their files named.
 */
#include <grp.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "workload.h"

#define LIMITS "/sys/module/ktally/parameters/limits"

#define SPACES 64
#define SLEEPERS 100

static struct session session;

static int sleep_for_ever(void *argument)
{
	(void)argument;
	for (;;)
		pause();
	return 0;
}

static int run_sleepers(void *argument)
{
	const int *ready = argument;
	int i;

	become_nobody(0);
	for (i = 0; i < SLEEPERS; i++)
		start_child(sleep_for_ever, NULL);
	return write(ready[1], "", 1) != 1 || sleep_for_ever(NULL);
}

/* How open waits of a process are told: with frames in files or, for want of a share, with addresses only. */
struct told {
	pid_t process;
	unsigned int in_files;
	unsigned int in_none;
};

static void note(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	struct told *told = from->context;
	const struct ktally_stack *stack;

	if (record->type != KTALLY_RECORD_OFFCPU || !(record->flags & KTALLY_OFFCPU_PARTIAL) ||
	    session_task(from, wait->task_id)->pid != (uint32_t)told->process)
		return;
	stack = session_stack(from, wait->stack_id);
	if (stack->user_frames && frame_is_file(stack->frames[stack->kernel_frames]))
		told->in_files++;
	else
		told->in_none++;
}

FIXTURE(charged)
{
	pid_t sleepers;
};

FIXTURE_SETUP(charged)
{
	char limits[32];

	snprintf(limits, sizeof(limits), "65536,%u,4096", SPACES);
	ASSERT_EQ(0, write_file(LIMITS, limits));
}

FIXTURE_TEARDOWN(charged)
{
	stop_child(self->sleepers);
	EXPECT_EQ(0, write_file(LIMITS, "65536,8192,4096"));
	session_close(&session);
}

TEST_F_TIMEOUT(charged, who_is_only_seen_to_wait, 600)
{
	pid_t me = getpid();
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES,
		.filter = KTALLY_FILTER_CHILDREN,
		.pids = (uintptr_t)&me,
		.pid_count = 1,
		.keep_ns = 200000000,
		.wait_min_ns = 200000000,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	struct told told = {};
	int ready[2];
	char byte;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note;
	session.context = &told;
	self->sleepers = start_child(run_sleepers, ready);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	sleep_seconds(0.5);
	ASSERT_EQ(0, device_enable(session.fd));
	sleep_seconds(0.5);
	ASSERT_EQ(0, device_flush(session.fd, 0));
	TH_LOG("%ld of %u spaces, refused %ld times", session_figure(&session, "spaces"), SPACES, session_figure(&session, "refused_spaces"));
	EXPECT_LT(0, session_figure(&session, "refused_spaces"));
	/* Among others it might have come first. */
	told.process = start_child(sleep_for_ever, NULL);
	sleep_seconds(0.5);
	ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	ASSERT_LE(0, session_drain(&session));
	TH_LOG("root's process is told %u times in files, %u times not", told.in_files, told.in_none);
	EXPECT_LT(0, told.in_files);
	EXPECT_EQ(0, told.in_none);
	EXPECT_STREQ("", session.error);
	stop_child(told.process);
}

TEST_HARNESS_MAIN
