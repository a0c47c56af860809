// SPDX-License-Identifier: GPL-2.0
/* CPU 1 goes and comes while it is sampled: what it wrote can be read, nothing is lost uncounted, and it is sampled again. */
#include <sys/mman.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
#define MEMORY_LIMIT "/sys/module/ktally/parameters/memory_limit_mb"

static struct session session;

static const struct ktally_setup everybody = {
	.sources = KTALLY_SOURCE_ONCPU,
	.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
	.rate = 499,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
};

/* A CPU may be busy for a moment with going or coming. */
static int set_online(bool online)
{
	int error = -EBUSY, patience;

	for (patience = 0; patience < 50 && error == -EBUSY; patience++) {
		error = write_file(ONLINE, online ? "1" : "0");
		if (error == -EBUSY)
			sleep_seconds(0.1);
	}
	return error;
}

FIXTURE(hotplug)
{
	pid_t spinners[2];
};

FIXTURE_SETUP(hotplug)
{
	if (access(ONLINE, W_OK))
		SKIP(return, "CPU 1 cannot be taken offline here");
	self->spinners[0] = start_maze();
	self->spinners[1] = start_maze();
}

FIXTURE_TEARDOWN(hotplug)
{
	EXPECT_EQ(0, set_online(true));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(self->spinners[0]);
	stop_child(self->spinners[1]);
}

static uint64_t samples_on(unsigned int cpu)
{
	return session.rings[cpu].tally.samples;
}

TEST_F_TIMEOUT(hotplug, off_and_on_while_sampling, 600)
{
	int round;

	ASSERT_EQ(0, session_open(&session, &everybody, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (round = 0; round < 6; round++) {
		uint64_t before;

		before = samples_on(1);
		ASSERT_EQ(0, session_run(&session, 0.5));
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_GT(samples_on(1), before);

		ASSERT_EQ(0, set_online(false));
		ASSERT_EQ(0, session_settle(&session));
		before = samples_on(1);
		ASSERT_EQ(0, session_run(&session, 0.3));
		if (round == 3) {
			/* Both while the CPU is away. */
			ASSERT_EQ(0, device_disable(session.fd));
			ASSERT_EQ(0, session_settle(&session));
			EXPECT_TRUE(session_is_exact(&session));
			ASSERT_EQ(0, device_set_rate(session.fd, 997));
			ASSERT_EQ(0, device_enable(session.fd));
		}
		EXPECT_EQ(before, samples_on(1));
		ASSERT_EQ(0, set_online(true));
	}
	EXPECT_EQ(997, session.rings[1].producer->rate);
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_EQ(2, session.rings[0].producer->rings);
	EXPECT_EQ(0, tally_lost_samples(&session.rings[0].tally).count);
}

static int map_producer(unsigned int cpu)
{
	void *page = mmap(NULL, KTALLY_PAGE_BYTES, PROT_READ, MAP_SHARED, session.fd,
			  (off_t)(cpu * session.setup.area_bytes + KTALLY_PAGE_BYTES));

	if (page == MAP_FAILED)
		return -errno;
	munmap(page, KTALLY_PAGE_BYTES);
	return 0;
}

TEST_F_TIMEOUT(hotplug, a_cpu_that_was_offline_at_setup, 600)
{
	ASSERT_EQ(0, set_online(false));
	ASSERT_EQ(0, session_open(&session, &everybody, true));
	EXPECT_EQ(1, session.rings[0].producer->rings);
	EXPECT_EQ(-ENXIO, map_producer(1));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.3));
	EXPECT_EQ(-ENXIO, map_producer(1));

	ASSERT_EQ(0, set_online(true));
	EXPECT_EQ(2, session.rings[0].producer->rings);
	EXPECT_EQ(0, map_producer(1));
	EXPECT_EQ(2, session_map_rings(&session));
	EXPECT_EQ(2, session.rings[1].producer->rings);
	EXPECT_EQ(KTALLY_STATE_ENABLED, session.rings[1].producer->state);
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_GT(samples_on(1), 20);
	EXPECT_TRUE(session_is_exact(&session));
}

/* A CPU that comes while the session is not enabled is sampled from the next ENABLE on. */
TEST_F_TIMEOUT(hotplug, a_cpu_that_comes_between, 600)
{
	ASSERT_EQ(0, set_online(false));
	ASSERT_EQ(0, session_open(&session, &everybody, false));
	ASSERT_EQ(0, set_online(true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_GT(samples_on(1), 20);
	EXPECT_TRUE(session_is_exact(&session));
}

/* No memory for its ring must not keep a CPU from coming online. */
TEST_F_TIMEOUT(hotplug, a_cpu_without_room_for_a_ring, 600)
{
	ASSERT_EQ(0, set_online(false));
	ASSERT_EQ(0, session_open(&session, &everybody, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "0"));
	EXPECT_EQ(0, set_online(true));
	EXPECT_EQ(-ENXIO, map_producer(1));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "256"));
	ASSERT_EQ(0, session_run(&session, 0.5));
	ASSERT_EQ(0, set_online(false));
	ASSERT_EQ(0, set_online(true));
	EXPECT_EQ(0, map_producer(1));
	ASSERT_EQ(0, session_run(&session, 0.5));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_GT(samples_on(1), 10);
	EXPECT_TRUE(session_is_exact(&session));
}

TEST_HARNESS_MAIN
