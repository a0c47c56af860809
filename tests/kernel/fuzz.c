// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls with arguments that are nearly right, by several processes at once, half of them unprivileged, while everything
 * is sampled. The kernel must not mind, what was taken must come back, and a bystander's session must not notice.
 *
 * KTALLY_FUZZ_SEED repeats a run as far as scheduling allows, KTALLY_FUZZ_CALLS sets its length.
 */
#include <sys/stat.h>

#include "device.h"
#include "fuzz_calls.h"
#include "harness.h"
#include "workload.h"

#define WORKERS 4
#define SESSIONS_MAX 16
#define MEMORY_LIMIT "/sys/module/ktally/parameters/memory_limit_mb"

/* Everything that sessions are limited by has been given back. */
static void check_limits(struct __test_metadata *_metadata)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = 1 << 20 };
	int fds[SESSIONS_MAX], i;

	/* Two rings, and a little each for what comes with them. */
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "3"));
	fds[0] = device_open();
	EXPECT_EQ(0, device_setup(fds[0], &setup));
	close(fds[0]);
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "256"));
	for (i = 0; i < SESSIONS_MAX; i++) {
		setup = (struct ktally_setup) { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = KTALLY_RING_BYTES_MIN };
		fds[i] = device_open();
		EXPECT_EQ(0, device_setup(fds[i], &setup));
	}
	for (i = 0; i < SESSIONS_MAX; i++)
		close(fds[i]);
}

/* A checked kernel finds memory that nobody points to any more. */
static void check_leaks(struct __test_metadata *_metadata)
{
	char report[4096];
	FILE *file;

	if (write_file("/sys/kernel/debug/kmemleak", "scan"))
		return;
	/* Only what is still lost some seconds later counts. */
	sleep_seconds(6);
	ASSERT_EQ(0, write_file("/sys/kernel/debug/kmemleak", "scan"));
	file = fopen("/sys/kernel/debug/kmemleak", "r");
	ASSERT_NE(NULL, file);
	while (fgets(report, sizeof(report), file)) {
		EXPECT_EQ(NULL, strstr(report, "ktally")) {
			TH_LOG("%s", report);
		}
	}
	fclose(file);
}

TEST(random_calls)
{
	static struct session session;
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES,
		.rate = 199,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	uint64_t seed = number_from("KTALLY_FUZZ_SEED", now_ns() ^ (uint64_t)getpid() << 32);
	uint64_t calls = number_from("KTALLY_FUZZ_CALLS", is_slow() ? 80000 : 200000);
	struct worker workers[WORKERS];
	int status, i, left = WORKERS;
	pid_t children[WORKERS];
	long before, after;

	TH_LOG("KTALLY_FUZZ_SEED=%ju KTALLY_FUZZ_CALLS=%ju", (uintmax_t)seed, (uintmax_t)calls);
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	before = available_kb();
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker) { (seed + (uint64_t)i * 0x9e3779b97f4a7c15ULL) | 1, calls / WORKERS, i % 2 };
		children[i] = start_child(run_worker, &workers[i]);
	}
	while (left) {
		ASSERT_EQ(0, session_run(&session, 0.2));
		for (i = 0; i < WORKERS; i++) {
			if (children[i] && waitpid(children[i], &status, WNOHANG) == children[i]) {
				EXPECT_EQ(0, status);
				children[i] = 0;
				left--;
			}
		}
	}
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_GT(session_total(&session).samples, 100);
	session_close(&session);

	check_limits(_metadata);
	after = available_kb();
	TH_LOG("%ld kB available before, %ld after", before, after);
	EXPECT_GT(after, before - 24 * 1024);
	check_leaks(_metadata);
}

TEST_HARNESS_MAIN
