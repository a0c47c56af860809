// SPDX-License-Identifier: GPL-2.0
/* The module comes and goes: not while it is in use, however its user ends, and as often as one likes, under load. */
#include <fcntl.h>
#include <sys/mman.h>

#include "device.h"
#include "harness.h"
#include "loaded.h"
#include "workload.h"

static bool is_loaded(void)
{
	return !access(KTALLY_DEVICE_PATH, F_OK);
}

static void find_module(struct __test_metadata *_metadata)
{
	if (!module_find())
		SKIP(exit(255), "KTALLY_MODULES does not say where ktally.ko is");
	if (!is_loaded())
		ASSERT_EQ(0, module_load());
}

static const struct ktally_setup everybody = {
	.sources = KTALLY_SOURCE_ONCPU,
	.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
	.rate = 997,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
};

TEST(refused_while_in_use)
{
	static struct session session;
	void *page;
	int fd;

	find_module(_metadata);
	fd = device_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	ASSERT_EQ(0, session_adopt(&session, fd, &everybody, true));
	ASSERT_EQ(0, device_enable(fd));
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	ASSERT_EQ(0, session_run(&session, 0.3));
	EXPECT_STREQ("", session.error);

	/* A mapping alone holds it too. */
	page = mmap(NULL, KTALLY_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, page);
	session_close(&session);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	munmap(page, KTALLY_PAGE_BYTES);
	EXPECT_EQ(0, module_unload());
	EXPECT_FALSE(is_loaded());
	EXPECT_EQ(-ENOENT, module_unload());
	EXPECT_EQ(0, module_load());
}

static int consume(void *argument)
{
	static struct session session;
	int *ready = argument;

	if (session_open(&session, &everybody, true) || device_enable(session.fd) || write(*ready, "", 1) != 1)
		return 1;
	return session_run(&session, 1000);
}

/* Rings mapped and samples flowing: all of that goes with the process. */
TEST(nothing_is_left_of_a_killed_consumer)
{
	int round, ready[2];
	char byte;

	find_module(_metadata);
	ASSERT_EQ(0, pipe(ready));
	for (round = 0; round < 10; round++) {
		pid_t child = start_child(consume, &ready[1]);

		ASSERT_EQ(1, read(ready[0], &byte, 1));
		sleep_seconds(0.02 * round);
		EXPECT_EQ(-EWOULDBLOCK, module_unload());
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		EXPECT_EQ(0, module_unload());
		EXPECT_EQ(0, module_load());
	}
}

TEST(many_cycles_under_load)
{
	pid_t children[] = { start_spinner(0), start_fork_storm() };
	int round, rounds = is_slow() ? 60 : 200, with_session = 0;
	long before, after = 0;
	uint64_t began;
	size_t i;

	find_module(_metadata);
	for (round = 0; round < 5; round++)
		EXPECT_EQ(0, module_unload() ?: module_load());
	before = available_kb();
	began = now_ns();
	for (round = 0; round < rounds; round++) {
		static struct session session;

		ASSERT_EQ(0, module_unload());
		ASSERT_EQ(0, module_load());
		if (round % 8)
			continue;
		/* Every eighth time it also samples, and is taken away as soon as the session ends. */
		ASSERT_EQ(0, session_open(&session, &everybody, round % 16));
		ASSERT_EQ(0, device_enable(session.fd));
		sleep_seconds(0.01);
		if (round % 3)
			ASSERT_LE(0, session_drain(&session));
		EXPECT_STREQ("", session.error);
		session_close(&session);
		with_session++;
	}
	TH_LOG("%d loads and unloads, %d with a session, in %.1f s", rounds, with_session, (double)(now_ns() - began) / 1e9);
	for (i = 0; i < ARRAY_SIZE(children); i++)
		stop_child(children[i]);
	/* The kernel frees modules' memory when it gets to it. */
	for (round = 0; round < 100 && (after = available_kb()) <= before - 24 * 1024; round++)
		sleep_seconds(0.1);
	TH_LOG("%ld kB available before, %ld after", before, after);
	EXPECT_GT(after, before - 24 * 1024);
}

TEST_HARNESS_MAIN
