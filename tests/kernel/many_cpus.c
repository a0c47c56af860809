// SPDX-License-Identifier: GPL-2.0
/*
 * However many CPUs there are, and whichever are missing between: each that is online has a ring with its own number and gets what runs
 * on it, no other has one, and all sums are exact. For 1 to CPUS_MAX CPUs.
 */
#include <math.h>
#include <sched.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;

static bool is_online(unsigned int cpu)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	/* CPU 0 often has no such file, and cannot be taken offline then. */
	return access(path, F_OK) ? !cpu : read_number(path) == 1;
}

/* One process on each CPU, which is busy for a part of the time that is its own, and by turns waits. */
static int be_busy(void *argument)
{
	int cpu = (int)(intptr_t)argument;

	pin_to_cpu(0, cpu);
	for (;;) {
		spin(1000000);
		sleep_seconds(0.002);
	}
	return 0;
}

static void check(struct __test_metadata *_metadata)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_FILES,
		.rate = 97,
		.ring_bytes = 256 << 10,
		.keep_ns = 1000000,
	};
	unsigned int cpu, online = 0, seen = 0;
	struct ktally_info info;
	pid_t busy[CPUS_MAX] = {};
	struct tally total;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_info(session.fd, &info));
	ASSERT_LE(info.cpus, CPUS_MAX);
	for (cpu = 0; cpu < info.cpus; cpu++)
		if (is_online(cpu))
			busy[cpu] = start_child(be_busy, (void *)(intptr_t)cpu);
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, info.cpus > 8 ? 20 : 5));
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	for (cpu = 0; cpu < info.cpus; cpu++) {
		const struct ring *ring = &session.rings[cpu];

		EXPECT_EQ(busy[cpu] != 0, ring->producer != NULL) {
			TH_LOG("CPU %u is %s and has %s ring", cpu, busy[cpu] ? "online" : "offline", ring->producer ? "a" : "no");
		}
		online += busy[cpu] != 0;
		if (!ring->producer)
			continue;
		EXPECT_EQ(cpu, ring->producer->cpu);
		EXPECT_EQ(online ? session.rings[0].producer->rings : 0, ring->producer->rings);
		EXPECT_GT(ring->tally.samples + ring->tally.waits, 0) {
			TH_LOG("nothing is seen of CPU %u", cpu);
		}
		seen += ring->tally.samples > 0;
	}
	total = session_total(&session);
	EXPECT_EQ(online, session.rings[0].producer->rings);
	TH_LOG("%u CPUs of %u are online, %u have samples: %ju of them, %.2f s; %ju waits, %ju lost", online, info.cpus, seen,
	       (uintmax_t)total.samples, (double)total.weight / 1e9, (uintmax_t)total.waits,
	       (uintmax_t)tally_lost_samples(&total).count);
	for (cpu = 0; cpu < info.cpus; cpu++)
		if (busy[cpu])
			stop_child(busy[cpu]);
	session_close(&session);
}

TEST(all_of_them)
{
	check(_metadata);
}

/* Every second one goes offline. */
TEST(with_holes)
{
	bool gone[CPUS_MAX] = {}, any = false;
	unsigned int cpu;

	for (cpu = 1; cpu < CPUS_MAX; cpu += 2) {
		gone[cpu] = is_online(cpu) && !set_cpu_online((int)cpu, false);
		any |= gone[cpu];
	}
	if (!any)
		SKIP(return, "no CPU can be taken offline here");
	check(_metadata);
	for (cpu = 1; cpu < CPUS_MAX; cpu += 2)
		if (gone[cpu])
			EXPECT_EQ(0, set_cpu_online((int)cpu, true));
	/* As before, with rings for those that came back. */
	check(_metadata);
}

TEST_HARNESS_MAIN
