// SPDX-License-Identifier: GPL-2.0
/*
 * A process that knows what it did, by the kernel's own account, is watched by this session, and by whoever beside.sh has started before:
 * all must come to the same sums. KTALLY_BESIDE names a file for what the others are held against: samples of this session,
 * switches of the process.
 */
#include <math.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;

/* What the process did since it may go on. */
static struct did {
	uint64_t cpu;
	uint64_t switches;
} *did;

static int go[2];

static uint64_t switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Its name is what others count by, so it has that only while it is watched here, too. */
static int be_watched(void *argument)
{
	uint64_t end;
	char byte;

	(void)argument;
	if (read(go[0], &byte, 1) != 1)
		return 1;
	prctl(PR_SET_NAME, "watched");
	did->cpu = cpu_ns();
	did->switches = switches();
	for (end = now_ns() + 10000000000; now_ns() < end;) {
		spin(20000000);
		sleep_seconds(0.004);
	}
	did->cpu = cpu_ns() - did->cpu;
	did->switches = switches() - did->switches;
	prctl(PR_SET_NAME, "ended");
	return 0;
}

TEST(totals_are_right_beside_others)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_FILES,
		.rate = 199,
		.ring_bytes = 4 << 20,
		.pid_count = 1,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	const char *report = getenv("KTALLY_BESIDE");
	struct tally total;
	char text[64];
	pid_t child;

	did = mmap(NULL, sizeof(*did), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, did);
	ASSERT_EQ(0, pipe(go));
	child = start_child(be_watched, NULL);
	sleep_seconds(0.5);
	setup.pids = (uintptr_t)&child;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, wait_for_child(child));
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	total = session_total(&session);
	TH_LOG("%.3f s and %ju switches; ktally: %.3f s in %ju samples, %ju waits, %ju lost", (double)did->cpu / 1e9,
	       (uintmax_t)did->switches, (double)total.weight / 1e9, (uintmax_t)total.samples, (uintmax_t)total.waits,
	       (uintmax_t)tally_lost_samples(&total).count);
	EXPECT_LT(fabs((double)total.weight - (double)did->cpu), 0.05 * (double)did->cpu + 50e6);
	EXPECT_EQ(0, tally_lost_samples(&total).count);
	/* From the pipe, and up to the end. */
	EXPECT_GE(total.waits, did->switches);
	EXPECT_LE(total.waits, did->switches + 10);
	session_close(&session);
	snprintf(text, sizeof(text), "%ju %ju\n", (uintmax_t)total.samples, (uintmax_t)did->switches);
	if (report)
		ASSERT_EQ(0, write_file(report, text));
}

TEST_HARNESS_MAIN
