// SPDX-License-Identifier: GPL-2.0
/*
 * Nothing is lost silently: a reader that does not keep up finds every sample that it has not got in LOST records, exactly,
 * ring by ring, and the time that they stood for.
 */
#include <math.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;

static struct ktally_setup setup_of(const pid_t *pids, uint32_t count)
{
	return (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.rate = 997,
		.depth = 256,
		.ring_bytes = KTALLY_RING_BYTES_MIN,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)pids,
		.pid_count = count,
	};
}

/* What was read and what was lost are together all of the children's CPU time. */
static void check_total(struct __test_metadata *_metadata, uint64_t used)
{
	struct tally total = session_total(&session);
	struct ktally_loss lost = tally_lost_samples(&total);
	double sum = (double)total.weight + (double)lost.weight;

	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ju read, %ju lost: %.3f s, scheduler %.3f s: %+.2f %%", (uintmax_t)total.samples, (uintmax_t)lost.count,
	       sum / 1e9, (double)used / 1e9, 100 * (sum - (double)used) / (double)used);
	EXPECT_LT(fabs(sum - (double)used), 0.03 * (double)used);
	EXPECT_GT(total.samples, 10);
	EXPECT_GT(lost.count, 100);
}

/* The children stay on a CPU each, so that nearly all periods are theirs and the comparison is sharp. */
static void sleep_and_wake(struct __test_metadata *_metadata, bool mapped, bool disable_first)
{
	pid_t pids[2] = { start_maze(), start_maze() };
	struct ktally_setup setup = setup_of(pids, 2);
	uint64_t used;

	pin_to_cpu(pids[0], 0);
	pin_to_cpu(pids[1], 1);
	ASSERT_EQ(0, session_open(&session, &setup, mapped));
	used = cpu_time(pids[0]) + cpu_time(pids[1]);
	ASSERT_EQ(0, device_enable(session.fd));
	sleep_seconds(4);
	if (!disable_first) {
		/* Awake while samples go on: at this moment nothing may be missing from what was announced. */
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_GT(session_total(&session).lost[KTALLY_LOST_FULL].count, 100);
		ASSERT_EQ(0, session_run(&session, 0.5));
		sleep_seconds(1);
	}
	used = cpu_time(pids[0]) + cpu_time(pids[1]) - used;
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	check_total(_metadata, used);
	session_close(&session);
	stop_child(pids[0]);
	stop_child(pids[1]);
}

TEST(sleeping_reader_by_mmap)
{
	sleep_and_wake(_metadata, true, false);
}

TEST(sleeping_reader_by_read)
{
	sleep_and_wake(_metadata, false, false);
}

TEST(sleeping_reader_after_disable)
{
	sleep_and_wake(_metadata, true, true);
}

/* The identity holds at any moment when nothing is sampled, not only at the end: stop and go. */
TEST(exact_each_time_it_stops)
{
	pid_t child = start_maze();
	struct ktally_setup setup = setup_of(&child, 1);
	int round;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	for (round = 0; round < 6; round++) {
		ASSERT_EQ(0, device_enable(session.fd));
		sleep_seconds(0.5 + 0.1 * round);
		if (round % 2)
			session_drain(&session);
		ASSERT_EQ(0, device_disable(session.fd));
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_TRUE(session_is_exact(&session));
	}
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

/* A reader that is merely slow loses now here, now there: new stacks and announcements as well as samples. */
TEST(slow_reader)
{
	pid_t children[] = { start_maze(), start_fork_storm(), start_ping_pong() };
	struct ktally_setup setup = setup_of(NULL, 0);
	uint64_t end;
	size_t i;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (end = now_ns() + 5000000000; now_ns() < end;) {
		sleep_seconds(0.15);
		ASSERT_LE(0, session_drain(&session));
	}
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_GT(session_total(&session).lost[KTALLY_LOST_FULL].count, 10);
	EXPECT_GT(session_total(&session).samples, 100);
	session_close(&session);
	for (i = 0; i < ARRAY_SIZE(children); i++)
		stop_child(children[i]);
}

TEST_HARNESS_MAIN
