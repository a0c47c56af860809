// SPDX-License-Identifier: GPL-2.0
/* Tasks begin, change and end while they are sampled; sessions live side by side; the whole can be switched off. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

#define DISABLED "/sys/module/ktally/parameters/disabled"
#define MEMORY_LIMIT "/sys/module/ktally/parameters/memory_limit_mb"
#define SESSIONS_MAX 16

static struct session session;

/* Everything that was said, in order of arrival. */
#define EVENTS_MAX 20000
static struct ktally_task tasks[EVENTS_MAX];
static struct ktally_exit exits[EVENTS_MAX];
static struct ktally_sample samples[EVENTS_MAX];
static unsigned int task_count, exit_count, sample_count;

static void keep(struct session *from, const struct ktally_record *record)
{
	(void)from;
	if (record->type == KTALLY_RECORD_TASK && task_count < EVENTS_MAX)
		tasks[task_count++] = *(const struct ktally_task *)record;
	if (record->type == KTALLY_RECORD_EXIT && exit_count < EVENTS_MAX)
		exits[exit_count++] = *(const struct ktally_exit *)record;
	if (record->type == KTALLY_RECORD_SAMPLE && sample_count < EVENTS_MAX)
		samples[sample_count++] = *(const struct ktally_sample *)record;
}

static struct ktally_setup setup_of(const pid_t *pids, uint32_t count)
{
	return (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.rate = 997,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)pids,
		.pid_count = count,
	};
}

static unsigned int samples_of(pid_t pid)
{
	unsigned int i, count = 0;

	for (i = 0; i < sample_count; i++)
		count += session_task(&session, samples[i].task_id)->pid == (uint32_t)pid;
	return count;
}

static void finish(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);
}

/* ------------------------------------------------------------------------------------------------ tasks */

static int go[2];

/* A child waits here until the session is enabled. */
static bool wait_for_go(void)
{
	char byte;

	return read(go[0], &byte, 1) == 1;
}

static int wait_and_execute(void *argument)
{
	(void)argument;
	if (!wait_for_go())
		return 1;
	spin(200000000);
	execl("/bin/sh", "sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done", NULL);
	return 127;
}

TEST(exec_and_exit_are_announced)
{
	const struct ktally_task *executed = NULL, *before = NULL;
	struct ktally_setup setup;
	uint64_t first = UINT64_MAX;
	unsigned int i, gone = 0;
	pid_t child;

	ASSERT_EQ(0, pipe(go));
	child = start_child(wait_and_execute, NULL);
	setup = setup_of(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = keep;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, wait_for_child(child));
	finish(_metadata);

	for (i = 0; i < task_count; i++) {
		EXPECT_EQ(child, tasks[i].pid);
		EXPECT_EQ(getpid(), tasks[i].parent);
		if (tasks[i].task_flags & KTALLY_TASK_EXEC)
			executed = &tasks[i];
		else if (strcmp((const char *)tasks[i].comm, "sh"))
			before = &tasks[i];
	}
	ASSERT_NE(NULL, executed);
	ASSERT_NE(NULL, before);
	EXPECT_EQ(1, session_total(&session).execs);
	EXPECT_STREQ("sh", (const char *)executed->comm);
	EXPECT_NE(executed->mm_id, before->mm_id);
	EXPECT_EQ(executed->start_time, before->start_time);
	for (i = 0; i < sample_count; i++) {
		/* The kernel part of exec itself, past the point of no return, has the new identity already. */
		if (session_task(&session, samples[i].task_id)->mm_id == executed->mm_id &&
		    !(samples[i].header.flags & KTALLY_SAMPLE_KERNEL) && samples[i].time < first)
			first = samples[i].time;
	}
	EXPECT_LE(executed->time, first);
	EXPECT_NE(UINT64_MAX, first);
	for (i = 0; i < exit_count; i++) {
		gone += exits[i].tid == (uint32_t)child;
		EXPECT_EQ(child, exits[i].pid);
		EXPECT_EQ(executed->start_time, exits[i].start_time);
		EXPECT_LT(before->time, exits[i].time);
	}
	EXPECT_EQ(1, gone);
	session_close(&session);
}

static volatile uint32_t *grandchild;

static int fork_and_spin(void *argument)
{
	(void)argument;
	if (!wait_for_go())
		return 1;
	*grandchild = (uint32_t)start_spinner(0);
	for (;;)
		spin(1000000);
	return 0;
}

static void follow_fork(struct __test_metadata *_metadata, uint32_t filter, bool fork_before_enable)
{
	struct ktally_setup setup;
	pid_t child;
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, shared);
	grandchild = shared;
	ASSERT_EQ(0, pipe(go));
	child = start_child(fork_and_spin, NULL);
	setup = setup_of(&child, 1);
	setup.filter = filter;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = keep;
	if (!fork_before_enable) {
		ASSERT_EQ(0, device_enable(session.fd));
	}
	ASSERT_EQ(1, write(go[1], "", 1));
	while (!*grandchild)
		sleep_seconds(0.01);
	if (fork_before_enable) {
		ASSERT_EQ(0, device_enable(session.fd));
	}
	ASSERT_EQ(0, session_run(&session, 1));
	finish(_metadata);
	TH_LOG("%u samples of the child, %u of the grandchild, %u in all", samples_of(child),
	       samples_of((pid_t)*grandchild), sample_count);
	EXPECT_GT(samples_of(child), 10);
	if (filter) {
		EXPECT_GT(samples_of((pid_t)*grandchild), 10);
	} else {
		EXPECT_EQ(0, samples_of((pid_t)*grandchild));
	}
	EXPECT_EQ(sample_count, samples_of(child) + samples_of((pid_t)*grandchild));
	session_close(&session);
	kill((pid_t)*grandchild, SIGKILL);
	stop_child(child);
}

TEST(children_are_followed)
{
	follow_fork(_metadata, KTALLY_FILTER_CHILDREN, false);
}

TEST(children_forked_before_enable_are_followed)
{
	follow_fork(_metadata, KTALLY_FILTER_CHILDREN, true);
}

TEST(children_are_not_followed_unasked)
{
	follow_fork(_metadata, 0, false);
}

static int rename_oneself(void *argument)
{
	(void)argument;
	if (!wait_for_go())
		return 1;
	prctl(PR_SET_NAME, "before");
	spin(400000000);
	prctl(PR_SET_NAME, "a-longer-name-a");
	spin(400000000);
	return 0;
}

TEST(a_new_name_is_announced)
{
	struct ktally_setup setup;
	pid_t child;
	const struct ktally_task *first = NULL, *second = NULL;
	unsigned int i;

	ASSERT_EQ(0, pipe(go));
	child = start_child(rename_oneself, NULL);
	setup = setup_of(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = keep;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, wait_for_child(child));
	finish(_metadata);
	for (i = 0; i < task_count; i++) {
		if (!strcmp((const char *)tasks[i].comm, "before"))
			first = &tasks[i];
		if (!strcmp((const char *)tasks[i].comm, "a-longer-name-a"))
			second = &tasks[i];
	}
	ASSERT_NE(NULL, first);
	ASSERT_NE(NULL, second);
	EXPECT_NE(first->task_id, second->task_id);
	EXPECT_EQ(first->mm_id, second->mm_id);
	EXPECT_EQ(first->tid, second->tid);
	session_close(&session);
}

static void *spin_in_thread(void *argument)
{
	spin(300000000);
	return argument;
}

static int run_threads(void *argument)
{
	pthread_t threads[2];
	int i;

	(void)argument;
	if (!wait_for_go())
		return 1;
	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, spin_in_thread, NULL))
			return 1;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

TEST(threads_share_their_address_space)
{
	struct ktally_setup setup;
	pid_t child;
	uint32_t tids[3] = {};
	unsigned int i, j, count = 0;

	ASSERT_EQ(0, pipe(go));
	child = start_child(run_threads, NULL);
	setup = setup_of(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = keep;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, wait_for_child(child));
	finish(_metadata);
	for (i = 0; i < task_count; i++) {
		EXPECT_EQ(child, tasks[i].pid);
		/* In its last moments a thread has neither a parent nor an address space. */
		if (tasks[i].parent || tasks[i].mm_id)
			EXPECT_EQ(tasks[0].mm_id, tasks[i].mm_id);
		for (j = 0; j < count && tids[j] != tasks[i].tid; j++)
			continue;
		if (j == count && count < 3)
			tids[count++] = tasks[i].tid;
	}
	EXPECT_GE(count, 2);
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ cgroups */

#define CGROUP "/sys/fs/cgroup/ktally-test"

static int spin_in_cgroup(void *argument)
{
	if (write_file(argument, "0"))
		return 1;
	for (;;)
		spin(1000000);
}

TEST(cgroups)
{
	char outer[] = CGROUP "/cgroup.procs", inner[] = CGROUP "/inner/cgroup.procs";
	struct ktally_setup setup = setup_of(NULL, 0);
	struct stat of_outer, of_inner;
	pid_t in_outer, in_inner, outside;
	unsigned int i;
	int fd;

	rmdir(CGROUP "/inner");
	rmdir(CGROUP);
	if (mkdir(CGROUP, 0755) || mkdir(CGROUP "/inner", 0755))
		SKIP(return, "no cgroup v2 here");
	in_outer = start_child(spin_in_cgroup, outer);
	in_inner = start_child(spin_in_cgroup, inner);
	outside = start_spinner(-1);
	sleep_seconds(0.3);

	fd = open(CGROUP, O_RDONLY | O_DIRECTORY);
	setup.cgroup_fds = (uintptr_t)&fd;
	setup.cgroup_count = 1;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = keep;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1.5));
	finish(_metadata);
	EXPECT_EQ(0, stat(CGROUP, &of_outer));
	EXPECT_EQ(0, stat(CGROUP "/inner", &of_inner));
	for (i = 0; i < task_count; i++) {
		EXPECT_EQ(0, tasks[i].task_flags & KTALLY_TASK_KERNEL);
		EXPECT_EQ(tasks[i].pid == (uint32_t)in_inner ? of_inner.st_ino : of_outer.st_ino, tasks[i].cgroup_id);
	}
	EXPECT_GT(samples_of(in_outer), 10);
	EXPECT_GT(samples_of(in_inner), 10);
	EXPECT_EQ(sample_count, samples_of(in_outer) + samples_of(in_inner));
	session_close(&session);

	/* Both filters together: a task must satisfy both. */
	sample_count = 0;
	setup.pids = (uintptr_t)(pid_t[]) { in_inner, outside };
	setup.pid_count = 2;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = keep;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	finish(_metadata);
	EXPECT_GT(samples_of(in_inner), 10);
	EXPECT_EQ(sample_count, samples_of(in_inner));
	session_close(&session);

	stop_child(in_outer);
	stop_child(in_inner);
	stop_child(outside);
	close(fd);
	EXPECT_EQ(0, rmdir(CGROUP "/inner"));
	EXPECT_EQ(0, rmdir(CGROUP));
}

/* ------------------------------------------------------------------------------------------------ sessions */

TEST(two_sessions_with_different_rates)
{
	static struct session other;
	pid_t child = start_spinner(other_cpu());
	struct ktally_setup setup = setup_of(&child, 1);
	uint64_t used;
	double slow, fast;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	setup.rate = 97;
	ASSERT_EQ(0, session_open(&other, &setup, false));
	used = cpu_time(child);
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, device_enable(other.fd));
	ASSERT_EQ(0, session_run(&session, 4));
	used = cpu_time(child) - used;
	ASSERT_EQ(0, device_disable(other.fd));
	ASSERT_EQ(0, session_settle(&other));
	EXPECT_TRUE(session_is_exact(&other));
	finish(_metadata);
	EXPECT_STREQ("", other.error);

	fast = (double)session_total(&session).weight;
	slow = (double)session_total(&other).weight;
	TH_LOG("scheduler %.3f s, at 997 Hz %.3f s in %ju samples, at 97 Hz %.3f s in %ju", (double)used / 1e9, fast / 1e9,
	       (uintmax_t)session_total(&session).samples, slow / 1e9, (uintmax_t)session_total(&other).samples);
	EXPECT_LT(fabs(fast - (double)used), 0.05 * (double)used);
	EXPECT_LT(fabs(slow - (double)used), 0.05 * (double)used);
	EXPECT_GT(session_total(&session).samples, 4 * session_total(&other).samples);
	session_close(&other);
	session_close(&session);
	stop_child(child);
}

TEST(sessions_are_limited)
{
	struct ktally_setup setup = setup_of(NULL, 0);
	int fds[SESSIONS_MAX + 1], i;

	setup.ring_bytes = KTALLY_RING_BYTES_MIN;
	for (i = 0; i <= SESSIONS_MAX; i++) {
		fds[i] = device_open();
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(i < SESSIONS_MAX ? 0 : -EBUSY, device_setup(fds[i], &setup));
	}
	close(fds[0]);
	EXPECT_EQ(0, device_setup(fds[SESSIONS_MAX], &setup));
	for (i = 1; i <= SESSIONS_MAX; i++)
		close(fds[i]);
}

/* As often as wanted: what a session took comes back. */
TEST(memory_is_limited_and_comes_back)
{
	struct ktally_setup setup = setup_of(NULL, 0);
	char limit[16];
	int fd, round;

	/* 2 MiB for each CPU */
	snprintf(limit, sizeof(limit), "%ld", 2 * sysconf(_SC_NPROCESSORS_ONLN));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, limit));
	for (round = 0; round < 10; round++) {
		fd = device_open();
		setup.ring_bytes = 4 << 20;
		EXPECT_EQ(-ENOMEM, device_setup(fd, &setup));
		setup.ring_bytes = 1 << 20;
		EXPECT_EQ(0, device_setup(fd, &setup));
		close(fd);
	}
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "256"));
}

TEST(the_module_can_be_disabled)
{
	pid_t child = start_spinner(-1);
	struct ktally_setup setup = setup_of(&child, 1);
	uint64_t before;
	int fd;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.3));
	ASSERT_EQ(0, write_file(DISABLED, "Y"));
	ASSERT_EQ(0, session_settle(&session));
	before = session_total(&session).samples;
	EXPECT_GT(before, 10);
	sleep_seconds(0.5);
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_EQ(before, session_total(&session).samples);
	fd = device_open();
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(-ESHUTDOWN, device_enable(fd));
	ASSERT_EQ(0, write_file(DISABLED, "N"));
	EXPECT_EQ(0, device_enable(fd));
	close(fd);
	ASSERT_EQ(0, session_run(&session, 0.3));
	finish(_metadata);
	EXPECT_GT(session_total(&session).samples, before + 10);
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
