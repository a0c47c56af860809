// SPDX-License-Identifier: GPL-2.0
/*
 * CPU 1 goes and comes while it is sampled: what it wrote can be read, nothing is lost uncounted, and it is sampled again. Waits
 * go on across that.
 */
#include <math.h>
#include <pthread.h>
#include <sys/mman.h>

#include "account.h"
#include "device.h"
#include "harness.h"
#include "mapped.h"
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
	EXPECT_EQ(0, set_cpu_online(1, true));
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

		ASSERT_EQ(0, set_cpu_online(1, false));
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
		ASSERT_EQ(0, set_cpu_online(1, true));
	}
	EXPECT_EQ(997, session.rings[1].producer->rate);
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_EQ(2, session.rings[0].producer->rings);
	/* Nobody reads while a CPU goes or comes, which can take seconds; for nothing else may there be a loss. */
	EXPECT_EQ(0, session.rings[0].tally.lost[KTALLY_LOST_BUSY].count);
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
	ASSERT_EQ(0, set_cpu_online(1, false));
	ASSERT_EQ(0, session_open(&session, &everybody, true));
	EXPECT_EQ(1, session.rings[0].producer->rings);
	EXPECT_EQ(-ENXIO, map_producer(1));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.3));
	EXPECT_EQ(-ENXIO, map_producer(1));

	ASSERT_EQ(0, set_cpu_online(1, true));
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
	ASSERT_EQ(0, set_cpu_online(1, false));
	ASSERT_EQ(0, session_open(&session, &everybody, false));
	ASSERT_EQ(0, set_cpu_online(1, true));
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
	uint64_t dark = 0;

	ASSERT_EQ(0, set_cpu_online(1, false));
	ASSERT_EQ(0, session_open(&session, &everybody, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "0"));
	EXPECT_EQ(0, set_cpu_online(1, true));
	EXPECT_EQ(-ENXIO, map_producer(1));
	EXPECT_EQ(1, session_figure(&session, "cpus_dark"));
	ASSERT_EQ(1, device_get_cpus(session.fd, KTALLY_CPUS_DARK, &dark));
	EXPECT_EQ(2, dark);
	ASSERT_EQ(0, device_flush(session.fd, 0));
	EXPECT_EQ(1, session_figure(&session, "cpus_dark"));
	EXPECT_EQ(-ENXIO, map_producer(1));

	/* As soon as there is room, and nobody need do more than what he does anyway. */
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "256"));
	ASSERT_EQ(0, device_flush(session.fd, 0));
	EXPECT_EQ(0, session_figure(&session, "cpus_dark"));
	EXPECT_EQ(0, device_get_cpus(session.fd, KTALLY_CPUS_DARK, &dark));
	EXPECT_EQ(2, session.rings[0].producer->rings);
	EXPECT_EQ(0, map_producer(1));
	ASSERT_EQ(0, session_run(&session, 0.5));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_GT(samples_on(1), 10);
	EXPECT_TRUE(session_is_exact(&session));
}

/* One that has come since SETUP, and for which there is no room, is dark; the others are sampled. */
TEST_F_TIMEOUT(hotplug, a_cpu_that_comes_between_without_room, 600)
{
	ASSERT_EQ(0, set_cpu_online(1, false));
	ASSERT_EQ(0, session_open(&session, &everybody, true));
	ASSERT_EQ(0, set_cpu_online(1, true));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "0"));
	EXPECT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(1, session_figure(&session, "cpus_dark"));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "256"));
	ASSERT_EQ(0, device_flush(session.fd, 0));
	EXPECT_EQ(0, session_figure(&session, "cpus_dark"));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
}

#define WORKERS "/sys/devices/virtual/workqueue/cpumask"

static pid_t sleeper;

static int sleep_for_good(void *argument)
{
	(void)argument;
	for (;;)
		pause();
	return 0;
}

static void count_open_waits(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	unsigned int *open = from->context;

	if (record->type == KTALLY_RECORD_OFFCPU && record->flags & KTALLY_OFFCPU_PARTIAL &&
	    session_task(from, wait->task_id)->pid == (uint32_t)sleeper)
		++*open;
}

/* Open waits are told by a worker, which may be on such a CPU: they are told on another. */
TEST_F_TIMEOUT(hotplug, open_waits_where_a_cpu_is_dark, 600)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.keep_ns = 1000000,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	unsigned int open = 0;

	if (access(WORKERS, W_OK))
		SKIP(return, "this kernel cannot be told where its workers are to be");
	sleeper = start_child(sleep_for_good, NULL);
	ASSERT_EQ(0, set_cpu_online(1, false));
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = count_open_waits;
	session.context = &open;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "0"));
	EXPECT_EQ(0, set_cpu_online(1, true));
	EXPECT_EQ(1, session_figure(&session, "cpus_dark"));
	ASSERT_EQ(0, write_file(WORKERS, "2"));
	sleep_seconds(0.2);
	EXPECT_EQ(0, device_flush(session.fd, 0));
	EXPECT_EQ(1, session_figure(&session, "cpus_dark"));
	EXPECT_LE(0, session_drain(&session));
	EXPECT_EQ(1, open);
	EXPECT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	EXPECT_LE(0, session_drain(&session));
	EXPECT_EQ(2, open);
	EXPECT_EQ(0, write_file(WORKERS, "3"));
	EXPECT_EQ(0, write_file(MEMORY_LIMIT, "256"));
	stop_child(sleeper);
}

static bool toggling;

static void *toggle(void *argument)
{
	(void)argument;
	while (__atomic_load_n(&toggling, __ATOMIC_ACQUIRE))
		if (device_enable(session.fd) || device_disable(session.fd))
			return &session;
	return NULL;
}

/* The same while the session is enabled and disabled, which waits for the CPU to come when it is half done. */
TEST_F_TIMEOUT(hotplug, a_cpu_without_room_while_toggling, 600)
{
	void *failed = &session;
	pthread_t thread;
	int round;

	ASSERT_EQ(0, set_cpu_online(1, false));
	ASSERT_EQ(0, session_open(&session, &everybody, true));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "0"));
	__atomic_store_n(&toggling, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle, NULL));
	for (round = 0; round < 10; round++) {
		EXPECT_EQ(0, set_cpu_online(1, true));
		EXPECT_EQ(0, set_cpu_online(1, false));
	}
	__atomic_store_n(&toggling, false, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "256"));
}

/* ---- waits ---- */

#define THREADS 4
#define KEEP_NS 5000000

struct sleepers {
	int go[2];
	bool stop;
	struct account accounts[THREADS];
};

static struct sleepers *sleepers;

/* Each is where the scheduler has it, and has to find another place when the CPU goes. */
static void *sleep_and_spin(void *argument)
{
	struct account *account = argument;
	unsigned int seed = (unsigned int)(account - sleepers->accounts);
	char byte;

	if (read(sleepers->go[0], &byte, 1) != 1)
		return NULL;
	account_begin(account);
	while (!__atomic_load_n(&sleepers->stop, __ATOMIC_ACQUIRE)) {
		spin(500000);
		sleep_seconds((double)(rand_r(&seed) % 10000) / 1e6);
	}
	account_end(account);
	pause();
	return NULL;
}

static int run_sleepers(void *argument)
{
	pthread_t thread;
	int i;

	(void)argument;
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, sleep_and_spin, &sleepers->accounts[i]))
			return 1;
	pause();
	return 0;
}

/**
 * struct story - of all sleepers, as one session tells it
 * @accounts: copies to be filled in by this session
 * @variance: of the sum of weights that another session has, by theory, given the waits that this one has
 */
struct story {
	struct account accounts[THREADS];
	double variance;
};

static void take_wait(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	struct story *story = from->context;
	double took, keep = KEEP_NS;
	int i;

	if (record->type != KTALLY_RECORD_OFFCPU)
		return;
	for (i = 0; i < THREADS; i++) {
		uint64_t waits = story->accounts[i].waits;

		story->accounts[i].tid = sleepers->accounts[i].tid;
		story->accounts[i].begin = sleepers->accounts[i].begin;
		story->accounts[i].end = sleepers->accounts[i].end;
		account_take(&story->accounts[i], session_task(from, wait->task_id), wait);
		took = (double)(wait->time - wait->start);
		if (story->accounts[i].waits > waits && took < keep)
			story->variance += took * (keep - took);
	}
}

static bool all_ended(void)
{
	int i;

	for (i = 0; i < THREADS; i++)
		if (!__atomic_load_n(&sleepers->accounts[i].end, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* One session keeps all waits, the other few: each has its own right sums. */
TEST_F_TIMEOUT(hotplug, waits_go_on, 600)
{
	static struct session rough;
	static struct story fine_story, rough_story;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	double error = 0, all = 0, estimate = 0, records = 0;
	struct tally totals[2];
	pid_t child;
	int round, i;

	sleepers = mmap(NULL, sizeof(*sleepers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, pipe(sleepers->go));
	child = start_child(run_sleepers, NULL);
	ASSERT_EQ(0, session_follow(&session, &setup, child));
	setup.keep_ns = KEEP_NS;
	ASSERT_EQ(0, session_follow(&rough, &setup, child));
	session.on_record = rough.on_record = take_wait;
	session.context = &fine_story;
	rough.context = &rough_story;

	ASSERT_EQ(THREADS, write(sleepers->go[1], "1234", THREADS));
	for (round = 0; round < 6; round++) {
		ASSERT_EQ(0, session_run(&session, 0.3));
		ASSERT_EQ(0, set_cpu_online(1, round % 2));
		ASSERT_EQ(0, session_settle(&session));
		ASSERT_EQ(0, session_settle(&rough));
	}
	__atomic_store_n(&sleepers->stop, true, __ATOMIC_RELEASE);
	while (!all_ended())
		sleep_seconds(0.05);
	ASSERT_EQ(0, session_finish(&session));
	ASSERT_EQ(0, session_finish(&rough));
	EXPECT_STREQ("", rough.error);
	totals[0] = session_total(&session);
	totals[1] = session_total(&rough);
	for (i = 0; i < 2; i++) {
		TH_LOG("session %d: thinned, or no longer, %ju times", i, (uintmax_t)totals[i].throttles);
		EXPECT_EQ(0, tally_lost_samples(&totals[i]).count);
	}

	for (i = 0; i < THREADS; i++) {
		struct account *account = &fine_story.accounts[i];

		account->cpu = sleepers->accounts[i].cpu;
		TH_LOG("%.3f s, %.3f on CPU, %.3f blocked, %.3f on the run queue, %ju waits: %+.3f %%",
		       (double)account_wall(account) / 1e9, (double)account->cpu / 1e9, (double)account->blocked / 1e9,
		       (double)account->run_queue / 1e9, (uintmax_t)account->waits, 100 * account_error(account));
		error += account_error(account) / THREADS;
		/* With no D each stands for itself; with one, the sum is right but for chance. A starved host may look like a D. */
		if (!totals[0].throttles)
			EXPECT_EQ(account->blocked + account->run_queue, account->weight);
		all += (double)account->weight;
		estimate += (double)rough_story.accounts[i].weight;
		records += (double)rough_story.accounts[i].waits;
	}
	EXPECT_LT(fabs(error), 0.02);
	TH_LOG("%.3f s of waiting, by %.0f records of the other session %.3f (sigma %.3f)", all / 1e9, records, estimate / 1e9,
	       sqrt(fine_story.variance) / 1e9);
	if (!totals[0].throttles && !totals[1].throttles)
		EXPECT_LT(fabs(estimate - all), 4 * sqrt(fine_story.variance));
	EXPECT_GT(estimate, 0);
	stop_child(child);
	session_close(&rough);
}

TEST_HARNESS_MAIN
