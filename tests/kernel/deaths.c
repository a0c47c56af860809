// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks that end where no probe looks: while a session is being enabled, and on a CPU that has no ring; and tasks that go on for a moment
 * when all that they belonged to is gone. What the module keeps of a task must not outlive it. That it uses what was freed shows as a
 * complaint of the kernel, which fails the run; on the debug kernel at once. That it keeps places shows by threads that find none.
 */
#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
#define MEMORY_LIMIT "/sys/module/ktally/parameters/memory_limit_mb"
#define INSTANCES "/sys/kernel/tracing/instances"

static struct session session;

static uint64_t lost_threads(void)
{
	return session_sum(&session, offsetof(struct ktally_ring_producer, lost[KTALLY_LOST_THREADS].count));
}

/* ------------------------------------------------------------------------------------------------ tracepoints as most hosts have them */

/*
 * Where nobody traces, a probe that comes has the kernel patch its code, and ENABLE waits for that. scripts/vm keeps the scheduler's
 * tracepoints in use, by instances of this name, since the emulator cannot patch what another CPU runs; with one CPU there is none.
 */
static void keep_tracepoints(bool keep)
{
	static const char *const events[] = { "switch", "waking", "process_fork", "process_exec", "process_exit" };
	DIR *instances = opendir(INSTANCES);
	struct dirent *instance;
	char path[1024];
	size_t i;

	while (instances && (instance = readdir(instances)))
		for (i = 0; !strncmp(instance->d_name, "ktally-", 7) && i < sizeof(events) / sizeof(*events); i++) {
			snprintf(path, sizeof(path), INSTANCES "/%s/events/sched/sched_%s/enable", instance->d_name, events[i]);
			write_file(path, keep ? "1" : "0");
		}
	if (instances)
		closedir(instances);
}

/* ------------------------------------------------------------------------------------------------ while enabling */

/* Children that are asleep when they are looked at, and gone soon after. */
static int churn(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;
	int alive = 0;

	for (;;) {
		pid_t child = alive < 40 ? fork() : -1;

		if (!child) {
			sleep_seconds((double)(500 + rand_r(&seed) % 3000) / 1e6);
			_exit(0);
		}
		alive += child > 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			alive--;
		sleep_seconds((double)(200 + rand_r(&seed) % 400) / 1e6);
	}
	return 0;
}

FIXTURE(enabling)
{
	pid_t churners[4];
	bool one_cpu;
};

FIXTURE_SETUP(enabling)
{
	uintptr_t i;

	self->one_cpu = sysconf(_SC_NPROCESSORS_ONLN) == 2 && !set_cpu_online(1, false);
	if (self->one_cpu)
		keep_tracepoints(false);
	for (i = 0; i < 4; i++)
		self->churners[i] = start_child(churn, (void *)i);
}

FIXTURE_TEARDOWN(enabling)
{
	int i;

	for (i = 0; i < 4; i++)
		stop_child(self->churners[i]);
	if (self->one_cpu) {
		keep_tracepoints(true);
		EXPECT_EQ(0, set_cpu_online(1, true));
	}
}

TEST_F_TIMEOUT(enabling, who_slept_and_is_gone, 600)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.threads = 4096,
	};
	unsigned int round, rounds = (unsigned int)number_from("KTALLY_ENABLE_ROUNDS", 40);
	uint64_t open_waits = 0;

	for (round = 0; round < rounds; round++) {
		int flush;

		ASSERT_EQ(0, session_open(&session, &setup, true));
		ASSERT_EQ(0, device_enable(session.fd));
		/* Longer than RCU takes: who has ended is free by then. */
		sleep_seconds(0.1);
		for (flush = 0; flush < 3; flush++) {
			ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
			ASSERT_LE(0, session_drain(&session));
			sleep_seconds(0.02);
		}
		EXPECT_STREQ("", session.error);
		open_waits += session_total(&session).open_waits;
		session_close(&session);
	}
	TH_LOG("%u sessions, %ju open waits", rounds, (uintmax_t)open_waits);
	EXPECT_GT(open_waits, rounds);
}

/* ------------------------------------------------------------------------------------------------ on a CPU without a ring */

#define PLACES 64
#define GENERATIONS 8
#define GENERATION 20

/* It waits on CPU 0, where that is seen, and ends on CPU 1. */
static int end_on_cpu_1(void *argument)
{
	(void)argument;
	pin_to_cpu(0, 0);
	sleep_seconds(0.05);
	pin_to_cpu(0, 1);
	sleep_seconds(0.001);
	return 0;
}

/* Open waits of those who run on CPU 1 would be told here, too: they are not waiting. */
static pid_t spinner;
static unsigned int waits_of_spinner;

static void note_spinner(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;

	if (record->type == KTALLY_RECORD_OFFCPU && wait->time - wait->start > 500000000 &&
	    session_task(from, wait->task_id)->pid == (uint32_t)spinner)
		waits_of_spinner++;
}

static int spin_on_cpu_1(void *argument)
{
	(void)argument;
	pin_to_cpu(0, 0);
	sleep_seconds(0.3);
	pin_to_cpu(0, 1);
	for (;;)
		spin(1000000);
	return 0;
}

FIXTURE(ringless)
{
	bool offline;
};

FIXTURE_SETUP(ringless)
{
	if (access(ONLINE, W_OK))
		SKIP(return, "CPU 1 cannot be taken offline here");
	self->offline = !set_cpu_online(1, false);
}

FIXTURE_TEARDOWN(ringless)
{
	EXPECT_EQ(0, write_file(MEMORY_LIMIT, "256"));
	if (self->offline)
		EXPECT_EQ(0, set_cpu_online(1, true));
	session_close(&session);
}

TEST_F_TIMEOUT(ringless, who_ends_there_is_gone, 600)
{
	pid_t me = getpid(), children[GENERATION];
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.filter = KTALLY_FILTER_CHILDREN,
		.pids = (uintptr_t)&me,
		.pid_count = 1,
		.threads = PLACES,
	};
	int generation, i;

	ASSERT_TRUE(self->offline);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_spinner;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "0"));
	ASSERT_EQ(0, set_cpu_online(1, true));
	spinner = start_child(spin_on_cpu_1, NULL);
	for (generation = 0; generation < GENERATIONS; generation++) {
		for (i = 0; i < GENERATION; i++)
			children[i] = start_child(end_on_cpu_1, NULL);
		for (i = 0; i < GENERATION; i++)
			EXPECT_EQ(0, wait_for_child(children[i]));
		ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
		ASSERT_LE(0, session_drain(&session));
	}
	sleep_seconds(0.5);
	ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	ASSERT_LE(0, session_drain(&session));
	TH_LOG("%d ended on a CPU without a ring, of %d places; %ju waits without a place", GENERATIONS * GENERATION, PLACES,
	       (uintmax_t)lost_threads());
	EXPECT_EQ(0, lost_threads());
	EXPECT_EQ(0, waits_of_spinner);
	EXPECT_GT(session_total(&session).waits + session_total(&session).open_waits, 0);
	EXPECT_STREQ("", session.error);
	stop_child(spinner);
}

/* ------------------------------------------------------------------------------------------------ reaped while they run */

#define RT_RUNTIME "/proc/sys/kernel/sched_rt_runtime_us"
#define REAPED_ENOUGH 20

/* Lets others have CPU 1 for moments only, wherever they are. */
static int hog_cpu_1(void *argument)
{
	const struct sched_param priority = { .sched_priority = 10 };

	(void)argument;
	pin_to_cpu(0, 1);
	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		return 1;
	for (;;) {
		sleep_seconds(0.001);
		spin(80000000);
	}
	return 0;
}

static int gate[2];

static void *end_on_command(void *argument)
{
	char byte;

	if (read(gate[0], &byte, 1) == 1)
		pin_to_cpu(0, 1);
	syscall(SYS_exit, 0);
	return argument;
}

/* Its first thread ends at once, and is reaped with the second. */
static void become_two(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, end_on_command, NULL))
		syscall(SYS_exit, 0);
	_exit(1);
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)path, (void)status, (void)type, (void)place;
	return 0;
}

/* Nobody waits for its child, and it is gone as soon as that has no id any more: the child's last thread may have some way to go yet. */
static int end_with_child(void *argument)
{
	char path[64];
	pid_t child;

	(void)argument;
	pin_to_cpu(0, 0);
	signal(SIGCHLD, SIG_IGN);
	if (pipe(gate))
		return 1;
	child = fork();
	if (!child)
		become_two();
	/* The kernel forgets each file of a process in /proc that somebody looked at while it reaps the process. */
	snprintf(path, sizeof(path), "/proc/%d", (int)child);
	nftw(path, visit, 8, FTW_PHYS);
	if (write(gate[1], "", 1) != 1)
		return 2;
	while (!kill(child, 0))
		sched_yield();
	return 0;
}

/* Who has no parent any more; of those who never had one there are few. */
static unsigned int orphans;

static void note_orphan(struct session *from, const struct ktally_record *record)
{
	const struct ktally_task *task = (const void *)record;

	(void)from;
	if (record->type == KTALLY_RECORD_TASK && !(task->task_flags & KTALLY_TASK_KERNEL) && task->pid > 1)
		orphans += !task->parent;
}

TEST(who_is_reaped_and_still_runs)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, .rate = 997, .ring_bytes = 1 << 20 };
	unsigned int round, rounds = (unsigned int)number_from("KTALLY_REAP_ROUNDS", 100);
	char runtime[32];
	uint64_t until;
	pid_t hog;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "who is kept from running needs another who sees it");
	snprintf(runtime, sizeof(runtime), "%ld", read_number(RT_RUNTIME));
	ASSERT_EQ(0, write_file(RT_RUNTIME, "-1"));
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_orphan;
	ASSERT_EQ(0, device_enable(session.fd));
	hog = start_child(hog_cpu_1, NULL);
	until = now_ns() + 120 * 1000000000ULL;
	for (round = 0; round < rounds && orphans < REAPED_ENOUGH && now_ns() < until; round++) {
		EXPECT_EQ(0, wait_for_child(start_child(end_with_child, NULL)));
		sleep_seconds(0.05);
		ASSERT_EQ(0, device_flush(session.fd, 0));
		ASSERT_LE(0, session_drain(&session));
	}
	stop_child(hog);
	EXPECT_EQ(0, write_file(RT_RUNTIME, runtime));
	TH_LOG("%u seen after they were reaped, of %u", orphans, round);
	/* Where a round takes minutes it is KASAN that tells. */
	if (!is_slow())
		EXPECT_GT(orphans, 0);
	EXPECT_STREQ("", session.error);
	session_close(&session);
}

TEST_HARNESS_MAIN
