// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPUs a session samples: those it asks for, or all but isolated ones (`scripts/vm --append isolcpus=1`, for the tests of these);
 * and what is said when perf keeps a counter from counting.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "workload.h"

#define MAX_RATE "/proc/sys/kernel/perf_event_max_sample_rate"

static struct session session;
static uint64_t words[KTALLY_CPU_WORDS_MAX + 1];

static struct ktally_setup setup_on(uint64_t mask)
{
	words[0] = mask;
	return (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER,
		.ring_bytes = KTALLY_RING_BYTES_MIN,
		.rate = 499,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.cpu_mask = (uintptr_t)words,
		.cpu_words = mask ? 1 : 0,
	};
}

static bool is_isolated(void)
{
	char text[64] = "";
	FILE *file = fopen("/sys/devices/system/cpu/isolated", "r");

	if (file && !fgets(text, sizeof(text), file))
		text[0] = '\0';
	if (file)
		fclose(file);
	return text[0] == '1';
}

/* ------------------------------------------------------------------------------------------------ masks */

#define EXPECT_MASK(expected, ...) do {					\
	struct ktally_setup changed = setup_on(1), *const s = &changed;	\
	int fd = device_open();						\
	(void)s;							\
	__VA_ARGS__;							\
	EXPECT_EQ(expected, device_setup(fd, &changed)) {		\
		TH_LOG("with %s", #__VA_ARGS__);			\
	}								\
	close(fd);							\
	memset(words, 0, sizeof(words));				\
} while (0)

TEST(masks_are_checked)
{
	EXPECT_MASK(0, (void)s);
	EXPECT_MASK(0, s->cpu_words = KTALLY_CPU_WORDS_MAX);
	EXPECT_MASK(-EINVAL, s->cpu_words = KTALLY_CPU_WORDS_MAX + 1);
	EXPECT_MASK(-EINVAL, s->cpu_words = UINT32_MAX);
	EXPECT_MASK(-EINVAL, words[0] = 0);
	EXPECT_MASK(-EINVAL, words[0] = 1ULL << 63 | 1);
	EXPECT_MASK(-EINVAL, (words[KTALLY_CPU_WORDS_MAX - 1] = 1ULL << 63, s->cpu_words = KTALLY_CPU_WORDS_MAX));
	EXPECT_MASK(0, (words[1] = 1, s->cpu_words = 1));
	EXPECT_MASK(-EINVAL, (words[1] = 1ULL << 63, s->cpu_words = 2));
	EXPECT_MASK(-EINVAL, s->reserved3 = 1);
	EXPECT_MASK(-EFAULT, s->cpu_mask = 8);
	EXPECT_MASK(-EFAULT, s->cpu_mask = 0xffff888000000000);
	EXPECT_MASK(-EFAULT, s->cpu_mask = UINT64_MAX - 3);
	/* Nobody looks at a mask of no words. */
	EXPECT_MASK(0, (s->cpu_mask = 8, s->cpu_words = 0));
}

TEST(cpus_can_be_asked_for)
{
	struct ktally_setup setup = setup_on(1);
	struct ktally_cpus argument = { .size = sizeof(argument) };
	uint64_t mask[3] = {};
	int fd = device_open();

	EXPECT_EQ(-EINVAL, device_get_cpus(fd, KTALLY_CPUS_SAMPLED, mask));
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(1, device_get_cpus(fd, KTALLY_CPUS_SAMPLED, mask));
	EXPECT_EQ(1, mask[0]);
	EXPECT_EQ(sysconf(_SC_NPROCESSORS_CONF) - 1, device_get_cpus(fd, KTALLY_CPUS_LEFT_OUT, mask));
	EXPECT_EQ((1ULL << sysconf(_SC_NPROCESSORS_CONF)) - 2, mask[0]);
	EXPECT_EQ(0, device_get_cpus(fd, KTALLY_CPUS_DARK, mask));
	EXPECT_EQ(0, mask[0]);
	EXPECT_EQ(-EINVAL, device_get_cpus(fd, KTALLY_CPUS_DARK + 1, mask));
	EXPECT_EQ(-EFAULT, device_get_cpus(fd, KTALLY_CPUS_SAMPLED, NULL));

	/* The count alone; and words beyond the CPUs. */
	EXPECT_EQ(0, ioctl(fd, KTALLY_IOC_GET_CPUS, &argument));
	EXPECT_EQ(1, argument.count);
	argument.count = 0;
	argument.mask = (uintptr_t)mask;
	argument.words = 2;
	memset(mask, 0xff, sizeof(mask));
	EXPECT_EQ(0, ioctl(fd, KTALLY_IOC_GET_CPUS, &argument));
	EXPECT_EQ(1, mask[0]);
	EXPECT_EQ(0, mask[1]);
	EXPECT_EQ(UINT64_MAX, mask[2]);
	EXPECT_EQ(-1, ioctl(fd, KTALLY_IOC_GET_CPUS, &argument));
	EXPECT_EQ(EINVAL, errno);
	argument.count = 0;
	argument.words = KTALLY_CPU_WORDS_MAX + 1;
	EXPECT_EQ(-1, ioctl(fd, KTALLY_IOC_GET_CPUS, &argument));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
}

/* ------------------------------------------------------------------------------------------------ who is sampled */

static uint64_t seen[CPUS_MAX];

static void count_sample(struct session *from, const struct ktally_record *record)
{
	(void)from;
	if (record->type == KTALLY_RECORD_SAMPLE)
		seen[record->cpu]++;
}

static int sample(const struct ktally_setup *setup)
{
	pid_t spinners[2] = { start_spinner(0), start_spinner(1) };
	int error;

	memset(seen, 0, sizeof(seen));
	error = session_open(&session, setup, true);
	session.on_record = count_sample;
	error = error ?: device_enable(session.fd) ?: session_run(&session, 1) ?: device_disable(session.fd) ?: session_settle(&session);
	stop_child(spinners[0]);
	stop_child(spinners[1]);
	return error;
}

static bool has_ring(unsigned int cpu)
{
	void *page = mmap(NULL, KTALLY_PAGE_BYTES, PROT_READ, MAP_SHARED, session.fd,
			  (off_t)(cpu * session.setup.area_bytes + KTALLY_PAGE_BYTES));

	if (page != MAP_FAILED)
		munmap(page, KTALLY_PAGE_BYTES);
	return page != MAP_FAILED || errno != ENXIO;
}

TEST(only_these_are_sampled)
{
	unsigned int cpu;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU only");
	for (cpu = 0; cpu < 2; cpu++) {
		struct ktally_setup setup = setup_on(1ULL << cpu);

		ASSERT_EQ(0, sample(&setup));
		EXPECT_LT(5, seen[cpu]);
		EXPECT_EQ(0, seen[!cpu]);
		EXPECT_TRUE(has_ring(cpu));
		EXPECT_FALSE(has_ring(!cpu));
		EXPECT_EQ(1, session_figure(&session, "rings"));
		EXPECT_EQ(0, session_figure(&session, "cpus_dark"));
		EXPECT_TRUE(session_is_exact(&session));
		EXPECT_STREQ("", session.error);
		session_close(&session);
	}
}

#define WORKERS "/sys/devices/virtual/workqueue/cpumask"

static pid_t sleeper;
static uint64_t open_waits;

static int sleep_for_good(void *argument)
{
	(void)argument;
	while (pause())
		continue;
	return 0;
}

static void count_open_wait(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;

	open_waits += record->type == KTALLY_RECORD_OFFCPU && record->flags & KTALLY_OFFCPU_PARTIAL &&
		      session_task(from, wait->task_id)->pid == (uint32_t)sleeper;
}

/* A worker tells of them, which here can only be on a CPU that the session does not sample. */
TEST(open_waits_are_told_from_any_cpu)
{
	char workers[256] = "";
	unsigned int cpu;
	FILE *file = fopen(WORKERS, "r");

	if (file && !fgets(workers, sizeof(workers), file))
		workers[0] = '\0';
	if (file)
		fclose(file);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU only");
	sleeper = start_child(sleep_for_good, NULL);
	sleep_seconds(0.2);
	for (cpu = 0; cpu < 2; cpu++) {
		struct ktally_setup setup = setup_on(1ULL << cpu);

		if (write_file(WORKERS, cpu ? "1" : "2"))
			SKIP(break, "workers are not to be kept to a CPU");
		setup.sources = KTALLY_SOURCE_OFFCPU;
		setup.keep_ns = 1000000;
		open_waits = 0;
		ASSERT_EQ(0, session_open(&session, &setup, true));
		session.on_record = count_open_wait;
		ASSERT_EQ(0, device_enable(session.fd));
		sleep_seconds(0.1);
		ASSERT_EQ(0, device_flush(session.fd, 0));
		ASSERT_LE(0, session_drain(&session));
		EXPECT_EQ(1, open_waits);
		EXPECT_STREQ("", session.error);
		session_close(&session);
	}
	write_file(WORKERS, workers);
	stop_child(sleeper);
}

TEST(isolated_cpus_are_left_out)
{
	struct ktally_setup setup = setup_on(0), named = setup_on(2);
	uint64_t mask = 0;
	int fd;

	if (!is_isolated())
		SKIP(return, "CPU 1 is not isolated: boot with isolcpus=1");
	ASSERT_EQ(0, sample(&setup));
	EXPECT_LT(5, seen[0]);
	EXPECT_EQ(0, seen[1]);
	EXPECT_FALSE(has_ring(1));
	EXPECT_EQ(1, device_get_cpus(session.fd, KTALLY_CPUS_LEFT_OUT, &mask));
	EXPECT_EQ(2, mask);
	session_close(&session);

	/* Who knows what he does names it. */
	words[0] = 2;
	ASSERT_EQ(0, sample(&named));
	EXPECT_LT(5, seen[1]);
	session_close(&session);
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	fd = device_open();
	EXPECT_EQ(-EPERM, device_setup(fd, &named));
	EXPECT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(1, device_get_cpus(fd, KTALLY_CPUS_SAMPLED, &mask));
	EXPECT_EQ(1, mask);
	close(fd);
}

TEST(without_isolation_all_are_sampled)
{
	struct ktally_setup setup = setup_on(0);
	uint64_t mask = 0;

	if (is_isolated())
		SKIP(return, "CPU 1 is isolated");
	ASSERT_EQ(0, session_open(&session, &setup, true));
	EXPECT_EQ(sysconf(_SC_NPROCESSORS_CONF), device_get_cpus(session.fd, KTALLY_CPUS_SAMPLED, &mask));
	EXPECT_EQ(0, device_get_cpus(session.fd, KTALLY_CPUS_LEFT_OUT, &mask));
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ counters that do not count */

/* perf allows so many overflows in a tick, and makes a counter wait for the next one. */
TEST(throttled_counters_are_noticed)
{
	struct ktally_setup setup = setup_on(1);
	long rate = read_number(MAX_RATE);
	char text[32];

	setup.rate = 5000;
	setup.ring_bytes = 1 << 20;
	snprintf(text, sizeof(text), "%ld", rate);
	if (rate < 0 || write_file(MAX_RATE, "250"))
		SKIP(return, "perf does not throttle here");
	ASSERT_EQ(0, sample(&setup));
	EXPECT_EQ(0, write_file(MAX_RATE, text));
	TH_LOG("%ld times, %.3f s of 1", session_figure(&session, "unsampled"), (double)session_figure(&session, "unsampled_ns") / 1e9);
	EXPECT_LT(10, session_figure(&session, "unsampled"));
	EXPECT_LT(10000000, session_figure(&session, "unsampled_ns"));
	EXPECT_EQ(session_sum(&session, offsetof(struct ktally_ring_producer, unsampled.count)), session_figure(&session, "unsampled"));
	EXPECT_EQ(session_sum(&session, offsetof(struct ktally_ring_producer, unsampled.weight)),
		  session_figure(&session, "unsampled_ns"));
	session_close(&session);

	setup = setup_on(1);
	setup.rate = 99;
	ASSERT_EQ(0, sample(&setup));
	EXPECT_EQ(0, session_figure(&session, "unsampled"));
	EXPECT_EQ(0, session_figure(&session, "unsampled_ns"));
	session_close(&session);
}

TEST_HARNESS_MAIN
