// SPDX-License-Identifier: GPL-2.0
/*
 * Waits are right: for every thread of a mixed program, time on the CPU, blocked and on the run queue add up to wall time; and
 * whose waits are followed, when there are many threads.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

/* ---- threads that keep their own accounts ---- */

enum kind { SLEEPER, PING, PONG, LOCKER, OTHER_LOCKER, HOG, OTHER_HOG, YIELDER, WANDERER, KINDS };

static const char *const names[KINDS] = {
	"sleeper", "ping", "pong", "locker", "other locker", "hog", "other hog", "yielder", "wanderer",
};

/**
 * struct account - of a thread, shared with the test
 * @tid: thread id
 * @begin: CLOCK_MONOTONIC
 * @end: CLOCK_MONOTONIC
 * @cpu: CPU time between
 * @seen: what the records say, by state
 * @blocked: what they say
 * @run_queue: what they say
 * @waits: number of records
 */
struct account {
	uint32_t tid;
	uint64_t begin;
	uint64_t end;
	uint64_t cpu;
	uint64_t seen[KTALLY_OFFCPU_CREATED + 1];
	uint64_t blocked;
	uint64_t run_queue;
	uint64_t waits;
};

struct program {
	double seconds;
	int go[2];
	int ping[2];
	int pong[2];
	pthread_mutex_t mutex;
	struct account accounts[KINDS];
};

static struct program *program;

static uint64_t thread_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void pass(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		_exit(1);
}

/* Once around. */
static void step(enum kind kind, unsigned int count)
{
	switch (kind) {
	case SLEEPER:
		sleep_seconds(0.001 + (double)(random() % 9000) / 1e6);
		break;
	case PING:
		spin(200000);
		pass(program->ping[0], program->pong[1]);
		break;
	case PONG:
		pass(program->pong[0], program->ping[1]);
		break;
	case LOCKER:
	case OTHER_LOCKER:
		pthread_mutex_lock(&program->mutex);
		spin(1000000);
		sleep_seconds(0.002);
		pthread_mutex_unlock(&program->mutex);
		spin(500000);
		break;
	case YIELDER:
		spin(1000000);
		sched_yield();
		break;
	case WANDERER:
		pin_to_cpu(0, (int)(count % 2));
		spin(1000000);
		sleep_seconds(0.001);
		break;
	default:
		spin(1000000);
	}
}

static void *run_thread(void *argument)
{
	struct account *account = argument;
	enum kind kind = (enum kind)(account - program->accounts);
	uint64_t cpu;
	unsigned int count;

	if (kind == HOG || kind == OTHER_HOG || kind == YIELDER)
		pin_to_cpu(0, 1);
	account->tid = (uint32_t)syscall(SYS_gettid);
	cpu = thread_time();
	account->begin = now_ns();
	for (count = 0; now_ns() - account->begin < (uint64_t)(program->seconds * 1e9); count++)
		step(kind, count);
	account->cpu = thread_time() - cpu;
	account->end = now_ns();
	/* Whoever ends first must not keep the other waiting. */
	while (kind == PING || kind == PONG)
		step(kind, 0);
	pause();
	return NULL;
}

static int run_program(void *argument)
{
	pthread_t threads[KINDS];
	int kind;

	(void)argument;
	if (read(program->go[0], &kind, 1) != 1 || write(program->ping[1], "", 1) != 1)
		return 1;
	for (kind = 0; kind < KINDS; kind++)
		if (pthread_create(&threads[kind], NULL, run_thread, &program->accounts[kind]))
			return 1;
	pause();
	return 0;
}

static void create_program(double seconds)
{
	program = mmap(NULL, sizeof(*program), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	program->seconds = seconds;
	if (pipe(program->go) || pipe(program->ping) || pipe(program->pong))
		abort();
	pthread_mutex_init(&program->mutex, NULL);
}

static void take_wait(struct session *session, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	const struct ktally_task *task;
	struct account *account;

	if (record->type != KTALLY_RECORD_OFFCPU || record->flags & KTALLY_OFFCPU_PARTIAL)
		return;
	task = session_task(session, wait->task_id);
	for (account = program->accounts; account < program->accounts + KINDS; account++) {
		if (account->tid != task->tid || wait->start < account->begin || (account->end && wait->time > account->end))
			continue;
		account->seen[wait->state] += wait->time - wait->start;
		account->blocked += wait->blocked;
		account->run_queue += wait->run_queue;
		account->waits++;
	}
}

static bool all_ended(void)
{
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		if (!__atomic_load_n(&program->accounts[kind].end, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static struct session session;

/* ---- tests ---- */

TEST(on_cpu_and_waits_are_wall_time)
{
	pid_t child;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.ring_bytes = 4 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)&child,
		.pid_count = 1,
	};
	int kind;

	create_program(is_slow() ? 5 : 20);
	child = start_child(run_program, NULL);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = take_wait;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(program->go[1], "", 1));
	while (!all_ended()) {
		ASSERT_EQ(0, session_run(&session, 0.2));
		ASSERT_LT(now_ns() - session.begin, 10 * (uint64_t)(program->seconds * 1e9));
	}
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	ASSERT_STREQ("", session.error);
	EXPECT_EQ(0, session_total(&session).throttles);
	EXPECT_EQ(0, session_total(&session).lost[KTALLY_LOST_FULL].count);
	EXPECT_EQ(0, session_total(&session).lost[KTALLY_LOST_BUSY].count);

	for (kind = 0; kind < KINDS; kind++) {
		const struct account *account = &program->accounts[kind];
		double wall = (double)(account->end - account->begin);
		double all = (double)(account->cpu + account->blocked + account->run_queue);

		TH_LOG("%-12s %6.3f s: %6.3f on CPU, %6.3f blocked, %6.3f on the run queue, %ju waits: %+.3f %%", names[kind],
		       wall / 1e9, (double)account->cpu / 1e9, (double)account->blocked / 1e9,
		       (double)account->run_queue / 1e9, (uintmax_t)account->waits, 100 * (all - wall) / wall);
		EXPECT_LT(fabs(all - wall), 0.01 * wall);
	}
	/* And each kind of wait has its name. */
	EXPECT_GT(program->accounts[SLEEPER].seen[KTALLY_OFFCPU_SLEEP], (uint64_t)(program->seconds * 0.5e9));
	EXPECT_GT(program->accounts[LOCKER].blocked, (uint64_t)(program->seconds * 0.2e9));
	EXPECT_GT(program->accounts[HOG].seen[KTALLY_OFFCPU_PREEMPTED], (uint64_t)(program->seconds * 0.2e9));
	EXPECT_GT(program->accounts[YIELDER].seen[KTALLY_OFFCPU_YIELDED], (uint64_t)(program->seconds * 0.1e9));
	EXPECT_EQ(0, program->accounts[HOG].blocked);
	stop_child(child);
	session_close(&session);
}

/* ---- who is too short, too many ---- */

static uint64_t sum_of(const struct session *from, size_t field)
{
	uint64_t sum = 0;
	unsigned int cpu;

	for (cpu = 0; cpu < CPUS_MAX; cpu++)
		if (from->rings[cpu].producer)
			sum += *(const volatile uint64_t *)((const volatile char *)from->rings[cpu].producer + field);
	return sum;
}

TEST(short_waits_are_counted)
{
	pid_t child;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.wait_min_ns = KTALLY_KEEP_NS_MAX,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)&child,
		.pid_count = 1,
	};
	struct ktally_keep nonsense = { .size = sizeof(nonsense), .reserved = 1 };
	uint64_t waits, told;
	struct tally total;

	child = start_ping_pong();
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_EQ(0, session_total(&session).waits);
	EXPECT_GT(sum_of(&session, offsetof(struct ktally_ring_producer, waits_short.count)), 100);
	EXPECT_GT(sum_of(&session, offsetof(struct ktally_ring_producer, waits_short.weight)), 0);

	/* Both may change while it runs. */
	EXPECT_EQ(0, device_set_keep(session.fd, 0, 0));
	EXPECT_EQ(-EINVAL, device_set_keep(session.fd, KTALLY_KEEP_NS_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, device_set_keep(session.fd, 0, KTALLY_KEEP_NS_MAX + 1));
	EXPECT_EQ(-1, ioctl(session.fd, KTALLY_IOC_SET_KEEP, &nonsense));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_GT(session_total(&session).waits, 50);
	EXPECT_TRUE(session_is_exact(&session));
	ASSERT_STREQ("", session.error);
	/* Each is somewhere, but for those that the time budget made the module drop. */
	total = session_total(&session);
	waits = sum_of(&session, offsetof(struct ktally_ring_producer, waits));
	told = sum_of(&session, offsetof(struct ktally_ring_producer, waits_short.count)) + total.waits +
	       tally_lost_samples(&total).count;
	EXPECT_GE(waits, told);
	if (!total.throttles)
		EXPECT_EQ(waits, told);
	stop_child(child);
	session_close(&session);
}

static void *sleep_long(void *argument)
{
	(void)argument;
	for (;;)
		sleep_seconds(0.01);
	return NULL;
}

static int run_many_threads(void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int i;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (i = 0; i < *(int *)argument; i++)
		if (pthread_create(&thread, &attributes, sleep_long, NULL))
			return 1;
	pause();
	return 0;
}

TEST(more_threads_than_there_are_places)
{
	pid_t child;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.threads = 16,
		.pids = (uintptr_t)&child,
		.pid_count = 1,
	};
	int threads = 100;

	child = start_child(run_many_threads, &threads);
	sleep_seconds(1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 2));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_GT(session_total(&session).waits, 0);
	EXPECT_GT(session_total(&session).lost[KTALLY_LOST_THREADS].count, 0);
	EXPECT_TRUE(session_is_exact(&session));
	ASSERT_STREQ("", session.error);
	stop_child(child);
	session_close(&session);
}

static void *end_at_once(void *argument)
{
	return argument;
}

/* Places come back when threads end, however many there are over time. */
static int run_thread_churn(void *argument)
{
	pthread_t threads[16];
	int round, i;

	for (round = 0; round < *(int *)argument; round++) {
		for (i = 0; i < 16; i++)
			if (pthread_create(&threads[i], NULL, end_at_once, NULL))
				return 1;
		for (i = 0; i < 16; i++)
			pthread_join(threads[i], NULL);
	}
	return 0;
}

TEST(threads_come_and_go)
{
	pid_t child;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.keep_ns = 10000000,
		.threads = 128,
		.pids = (uintptr_t)&child,
		.pid_count = 1,
	};
	int rounds = is_slow() ? 60 : 600;

	child = start_child(run_thread_churn, &rounds);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(0, wait_for_child(child));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	TH_LOG("%d threads in 128 places: %ju waits, %ju without a place", 16 * rounds,
	       (uintmax_t)sum_of(&session, offsetof(struct ktally_ring_producer, waits)),
	       (uintmax_t)session_total(&session).lost[KTALLY_LOST_THREADS].count);
	EXPECT_GT(sum_of(&session, offsetof(struct ktally_ring_producer, waits)), (uint64_t)rounds * 8);
	EXPECT_EQ(0, session_total(&session).lost[KTALLY_LOST_THREADS].count);
	ASSERT_STREQ("", session.error);
	session_close(&session);
}

TEST_HARNESS_MAIN
