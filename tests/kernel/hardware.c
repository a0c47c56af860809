// SPDX-License-Identifier: GPL-2.0
/* What only a machine with hardware counters can show; see tests/bench/hardware.sh, which runs this. */
#include <math.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;

static const char *const clocks[] = { "none", "timer", "cycles", "reference cycles" };

/* NMIs so far, on all CPUs. */
static uint64_t nmis(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	char line[8192], *at;
	uint64_t sum = 0;

	while (file && fgets(line, sizeof(line), file)) {
		at = strstr(line, "NMI:");
		if (!at)
			continue;
		for (at += 4;;) {
			char *end;
			uint64_t count = strtoull(at, &end, 10);

			if (end == at)
				break;
			sum += count;
			at = end;
		}
	}
	if (file)
		fclose(file);
	return sum;
}

/* By which clock a process that is busy for ten seconds was sampled, and what came of it. */
static uint32_t sample_busy(struct __test_metadata *_metadata, double most_wrong)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.rate = 997,
		.ring_bytes = 4 << 20,
		.pid_count = 1,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	pid_t child = start_spinner(0);
	uint64_t used, interrupts;
	struct tally total;
	uint32_t clock;
	double wrong;

	setup.pids = (uintptr_t)&child;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	clock = session.rings[0].producer->clock;
	ASSERT_GE(KTALLY_CLOCK_REF_CYCLES, clock);
	interrupts = nmis();
	used = cpu_time(child);
	ASSERT_EQ(0, session_run(&session, 10));
	used = cpu_time(child) - used;
	interrupts = nmis() - interrupts;
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	total = session_total(&session);
	wrong = ((double)total.weight - (double)used) / (double)used;
	TH_LOG("by %s: %.3f s used, %.3f s seen (%+.2f %%), %ju samples, %ju NMIs", clocks[clock], (double)used / 1e9,
	       (double)total.weight / 1e9, 100 * wrong, (uintmax_t)total.samples, (uintmax_t)interrupts);
	EXPECT_LT(fabs(wrong), most_wrong);
	EXPECT_GT(total.samples, 5000);
	/* Each sample of a counter is an NMI of its own. */
	EXPECT_EQ(clock != KTALLY_CLOCK_CPU, interrupts >= total.samples);
	session_close(&session);
	stop_child(child);
	return clock;
}

TEST(a_counter_paces_the_samples)
{
	EXPECT_NE(KTALLY_CLOCK_CPU, sample_busy(_metadata, 0.02));
}

/* What there is of a counter, the first has. The other is sampled all the same. */
TEST(two_sessions_at_once)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU, .capture = KTALLY_CAPTURE_USER, .rate = 97, .budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	static struct session others[8];
	pid_t child = start_spinner(0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		ASSERT_EQ(0, session_open(&others[i], &setup, true));
		ASSERT_EQ(0, device_enable(others[i].fd));
	}
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		ASSERT_EQ(0, session_run(&others[i], 1));
		TH_LOG("session %zu by %s: %ju samples", i, clocks[others[i].rings[0].producer->clock],
		       (uintmax_t)session_total(&others[i]).samples);
		EXPECT_LT(20, session_total(&others[i]).samples);
	}
	for (i = 0; i < ARRAY_SIZE(others); i++)
		session_close(&others[i]);
	stop_child(child);
}

/* Turbo and power saving change how long a cycle is, not how long a reference cycle is. */
TEST(the_clock_is_what_info_says)
{
	struct ktally_info info;
	int fd = device_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, device_info(fd, &info));
	TH_LOG("info.clock is %s", info.clock <= KTALLY_CLOCK_REF_CYCLES ? clocks[info.clock] : "unknown");
	EXPECT_NE(KTALLY_CLOCK_CPU, info.clock);
	close(fd);
}

TEST_HARNESS_MAIN
