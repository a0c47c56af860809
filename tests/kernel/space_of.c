// SPDX-License-Identifier: GPL-2.0
/*
 * Which address space a process has: as its samples say, another one after exec and under an id that is used again; and what two answers
 * that are equal enclose was read of that address space.
 */
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "device.h"
#include "harness.h"
#include "nobody.h"
#include "workload.h"

#define VARIABLE "KTALLY_SPACE_OF"
#define PLACE ((void *)0x20000000)

static struct session session;

/* ------------------------------------------------------------------------------------------------ a process that executes itself */

/* What is at the place tells how often it has. */
static void execute(uint64_t times)
{
	char variable[64], *arguments[] = { (char *)(uintptr_t)"ktally-exec", NULL }, *environment[] = { variable, NULL };

	snprintf(variable, sizeof(variable), VARIABLE "=%ju", (uintmax_t)times);
	execve("/proc/self/exe", arguments, environment);
	_exit(126);
}

/* Before the harness gets to see that it was not meant. */
static __attribute__((constructor)) void execute_if_told(void)
{
	const char *text = getenv(VARIABLE);
	uint64_t *place, times;

	if (!text)
		return;
	times = strtoull(text, NULL, 10);
	place = mmap(PLACE, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (place != PLACE)
		_exit(125);
	*place = times;
	spin(times % 3 * 50000);
	execute(times + 1);
}

static int execute_again_and_again(void *argument)
{
	(void)argument;
	execute(1);
	return 0;
}

static int64_t read_place(pid_t pid)
{
	uint64_t value;
	struct iovec local = { &value, sizeof(value) }, remote = { PLACE, sizeof(value) };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(value) ? (int64_t)value : -1;
}

/* ------------------------------------------------------------------------------------------------ */

static uint64_t seen_mm_id;
static pid_t seen_pid;

static void take_tasks(struct session *from, const struct ktally_record *record)
{
	const struct ktally_task *task = (const void *)record;

	(void)from;
	if (record->type == KTALLY_RECORD_TASK && (pid_t)task->pid == seen_pid && task->mm_id)
		seen_mm_id = task->mm_id;
}

static const struct ktally_setup oncpu = {
	.sources = KTALLY_SOURCE_ONCPU, .capture = KTALLY_CAPTURE_USER, .ring_bytes = KTALLY_RING_BYTES_MIN, .rate = 499,
};

static void *sleep_long(void *argument)
{
	*(pid_t *)argument = gettid();
	sleep_seconds(100);
	return NULL;
}

TEST(as_its_records_say)
{
	struct ktally_setup setup = oncpu;
	pid_t child = start_spinner(-1), thread_id = 0;
	uint64_t mm_id, own, again;
	pthread_t thread;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = take_tasks;
	seen_pid = child;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.5));
	ASSERT_EQ(0, device_space_of(session.fd, child, &mm_id));
	EXPECT_NE(0, seen_mm_id);
	EXPECT_EQ(seen_mm_id, mm_id);

	ASSERT_EQ(0, device_space_of(session.fd, getpid(), &own));
	EXPECT_NE(mm_id, own);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_long, &thread_id));
	while (!__atomic_load_n(&thread_id, __ATOMIC_RELAXED))
		sleep_seconds(0.001);
	EXPECT_EQ(0, device_space_of(session.fd, thread_id, &again));
	EXPECT_EQ(own, again);
	stop_child(child);
	session_finish(&session);
}

TEST(who_has_none)
{
	struct ktally_setup setup = oncpu;
	int fd = device_open();
	uint64_t mm_id;
	siginfo_t info;
	pid_t child;

	EXPECT_EQ(-EINVAL, device_space_of(fd, getpid(), &mm_id));
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(-ESRCH, device_space_of(fd, 0, &mm_id));
	EXPECT_EQ(-ESRCH, device_space_of(fd, -1, &mm_id));
	EXPECT_EQ(-ESRCH, device_space_of(fd, 0x3fffff, &mm_id));
	/* kthreadd */
	EXPECT_EQ(-ESRCH, device_space_of(fd, 2, &mm_id));
	child = fork();
	if (!child)
		_exit(0);
	ASSERT_EQ(0, waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(-ESRCH, device_space_of(fd, child, &mm_id));
	waitpid(child, NULL, 0);
	EXPECT_EQ(-ESRCH, device_space_of(fd, child, &mm_id));
	close(fd);
}

/* As clone3() lets who may. */
static pid_t fork_as(pid_t number)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1 };

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

TEST(an_id_that_is_used_again)
{
	struct ktally_setup setup = oncpu;
	uint64_t first = 0, second = 0;
	int fd = device_open();
	pid_t child;

	ASSERT_EQ(0, device_setup(fd, &setup));
	child = fork_as(30000);
	if (!child)
		for (;;)
			pause();
	ASSERT_EQ(30000, child);
	EXPECT_EQ(0, device_space_of(fd, child, &first));
	stop_child(child);
	child = fork_as(30000);
	if (!child)
		for (;;)
			pause();
	ASSERT_EQ(30000, child);
	EXPECT_EQ(0, device_space_of(fd, child, &second));
	EXPECT_NE(first, second);
	stop_child(child);
	close(fd);
}

/*
 * What is read between two answers that are equal is of the address space that they name: an id never has two values. Without asking
 * afterwards it has: how often, the log says.
 */
TEST(reads_beside_exec)
{
	struct ktally_setup setup = oncpu;
	pid_t child = start_child(execute_again_and_again, NULL);
	uint64_t named = 0, before, after, enclosed = 0, changed = 0, unmapped = 0, wrong = 0, unasked = 0;
	uint64_t begin = now_ns();
	int64_t value, known = -1, latest = 0;
	int fd = device_open();

	ASSERT_EQ(0, device_setup(fd, &setup));
	while (now_ns() - begin < 10000000000) {
		ASSERT_EQ(0, device_space_of(fd, child, &before));
		value = read_place(child);
		ASSERT_EQ(0, device_space_of(fd, child, &after));
		if (before != after) {
			changed++;
			unasked += before == named && value > 0 && value != known;
			continue;
		}
		if (before != named) {
			named = before;
			known = -1;
		}
		if (value < 0) {
			unmapped++;
			continue;
		}
		enclosed++;
		/* The page is zero until it is written. */
		if (value && known > 0 && value != known)
			wrong++;
		if (value)
			known = latest = value;
	}
	TH_LOG("%ju reads enclosed, %ju unmapped, %ju not of one address space, of which %ju would have been taken for it; executed %jd times",
	       (uintmax_t)enclosed, (uintmax_t)unmapped, (uintmax_t)changed, (uintmax_t)unasked, (intmax_t)latest);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(1000, enclosed);
	EXPECT_LT(20, latest);
	EXPECT_LT(0, changed);
	stop_child(child);
	close(fd);
}

/* ------------------------------------------------------------------------------------------------ without rights */

static int wait_in_vain(void *argument)
{
	if (argument)
		become_nobody(0);
	prctl(PR_SET_DUMPABLE, argument == NULL || *(const int *)argument);
	for (;;)
		pause();
	return 0;
}

TEST(without_rights_only_ones_own)
{
	static const int dumpable = 1, undumpable = 0;
	struct ktally_setup setup = oncpu;
	pid_t of_root = start_child(wait_in_vain, NULL);
	pid_t own = start_child(wait_in_vain, (void *)(uintptr_t)&dumpable);
	pid_t secret = start_child(wait_in_vain, (void *)(uintptr_t)&undumpable);
	int fd, given = device_open();
	uint64_t mm_id;

	ASSERT_EQ(0, device_setup(given, &setup));
	EXPECT_EQ(0, device_space_of(given, secret, &mm_id));
	sleep_seconds(0.5);
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	EXPECT_EQ(-EPERM, device_space_of(given, own, &mm_id));
	fd = device_open();
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(0, device_space_of(fd, own, &mm_id));
	EXPECT_NE(0, mm_id);
	EXPECT_EQ(-ESRCH, device_space_of(fd, of_root, &mm_id));
	EXPECT_EQ(-ESRCH, device_space_of(fd, secret, &mm_id));
	close(fd);
	close(given);
}

TEST_HARNESS_MAIN
