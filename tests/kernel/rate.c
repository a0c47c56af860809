// SPDX-License-Identifier: GPL-2.0
/* The rate changes while samples flow: weights follow it, so that totals stay right, and it takes effect at once. */
#include <math.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;

static struct ktally_setup setup_of(const pid_t *child, uint32_t rate)
{
	return (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER,
		.rate = rate,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)child,
		.pid_count = 1,
	};
}

TEST(totals_across_changes)
{
	static const uint32_t rates[] = { 19, 499, 97 };
	uint64_t used, samples[ARRAY_SIZE(rates)] = {};
	struct ktally_setup setup;
	struct tally total;
	pid_t child = start_spinner(1);
	double weight;
	size_t i;

	setup = setup_of(&child, rates[0]);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	used = cpu_time(child);
	ASSERT_EQ(0, device_enable(session.fd));
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		ASSERT_EQ(0, device_set_rate(session.fd, rates[i]));
		ASSERT_EQ(0, session_run(&session, 5));
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_EQ(rates[i], session.rings[1].producer->rate);
		samples[i] = session_total(&session).samples - (i ? samples[0] + (i > 1 ? samples[1] : 0) : 0);
	}
	/* Taken before DISABLE, which takes its time; what runs until the last sample of a CPU is not in the total. */
	used = cpu_time(child) - used;
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);

	total = session_total(&session);
	weight = (double)total.weight;
	TH_LOG("%ju + %ju + %ju samples: %.3f s, scheduler %.3f s: %+.2f %%", (uintmax_t)samples[0],
	       (uintmax_t)samples[1], (uintmax_t)samples[2], weight / 1e9, (double)used / 1e9,
	       100 * (weight - (double)used) / (double)used);
	EXPECT_LT(fabs(weight - (double)used), 0.03 * (double)used);
	EXPECT_GT(samples[1], 8 * samples[0]);
	EXPECT_GT(samples[1], 2 * samples[2]);
	EXPECT_GT(samples[2], 2 * samples[0]);
	session_close(&session);
	stop_child(child);
}

/* At one sample a second, the change may not wait for that second to end. */
TEST(a_change_is_not_put_off)
{
	pid_t child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child, 1);
	int round, late = 0;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (round = 0; round < 5; round++) {
		uint64_t before;

		ASSERT_EQ(0, device_set_rate(session.fd, 1));
		sleep_seconds(0.1);
		ASSERT_EQ(0, device_set_rate(session.fd, 997));
		ASSERT_EQ(0, session_settle(&session));
		before = session_total(&session).samples;
		sleep_seconds(0.1);
		ASSERT_EQ(0, session_settle(&session));
		late += session_total(&session).samples - before < 10;
	}
	EXPECT_LE(late, 1);
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
