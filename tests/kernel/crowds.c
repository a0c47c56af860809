// SPDX-License-Identifier: GPL-2.0
/*
 * Consumers that stop or are killed, and processes with more of something than others have: what others see of it is in bystander.h. A
 * consumer is stopped for twelve times as long as a test goes on.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bystander.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

static struct session session;

FIXTURE(crowds)
{
};

FIXTURE_SETUP(crowds)
{
	ASSERT_EQ(0, bystander_begin());
}

FIXTURE_TEARDOWN(crowds)
{
	struct tally total;

	EXPECT_EQ(0, bystander_end(&total)) {
		TH_LOG("%s", bystander.session.error);
	}
	TH_LOG("the bystander: %ju samples, %ju lost", (uintmax_t)total.samples, (uintmax_t)tally_lost_samples(&total).count);
	EXPECT_GT(total.samples, 50);
}

/* ------------------------------------------------------------------------------------------------ consumers that go */

static int consume_slowly(void *argument)
{
	static struct session own;
	int *ready = argument;

	if (session_open(&own, &everything, true) || device_enable(own.fd) || write(*ready, "", 1) != 1)
		return 1;
	if (session_run(&own, 12 * hostile_seconds() + 1) || session_finish(&own))
		return 2;
	fprintf(stderr, "# the stopped one: %ju samples, %ju lost, error '%s'\n", (uintmax_t)session_total(&own).samples,
		(uintmax_t)session_total(&own).lost[KTALLY_LOST_FULL].count, own.error);
	return own.error[0] ? 3 : 0;
}

/* Its rings run full, which is its own loss; when it goes on, its sums are exact. */
TEST_F_TIMEOUT(crowds, a_consumer_that_is_stopped, 600)
{
	int ready[2], i;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	child = start_child(consume_slowly, &ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, kill(child, SIGSTOP));
	for (i = 0; i < 12 * (int)hostile_seconds(); i++) {
		sleep_seconds(1);
		ASSERT_EQ(0, bystander_drain());
	}
	ASSERT_EQ(0, kill(child, SIGCONT));
	EXPECT_EQ(0, wait_for_child(child));
}

#define CGROUP "/sys/fs/cgroup/ktally-hostile"

static int consume_too_much(void *argument)
{
	static struct session own;
	struct ktally_setup setup = everything;
	size_t i;

	(void)argument;
	setup.ring_bytes = 1 << 20;
	if (write_file(CGROUP "/cgroup.procs", "0") || session_open(&own, &setup, true) || device_enable(own.fd))
		return 1;
	for (i = 0;; i++) {
		char *memory = malloc(1 << 20);

		if (memory)
			memset(memory, (int)i | 1, 1 << 20);
		session_drain(&own);
	}
}

TEST_F_TIMEOUT(crowds, a_consumer_out_of_memory, 600)
{
	long bytes = bystander_bytes();
	int round, status;

	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		SKIP(return, "no cgroups");
	if (write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory") || write_file(CGROUP "/memory.max", "64M"))
		SKIP(rmdir(CGROUP); return, "no memory limits of cgroups");
	for (round = 0; round < 5; round++) {
		pid_t child = start_child(consume_too_much, NULL);

		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			TH_LOG("it ended with status %#x", status);
		}
		ASSERT_EQ(0, bystander_drain());
	}
	EXPECT_EQ(0, rmdir(CGROUP));
	EXPECT_TRUE(bystander_is_alone(bytes));
}

/* ------------------------------------------------------------------------------------------------ processes */

#define MAPPINGS 100000

static int map_very_much(void *argument)
{
	int file = open("/tmp/ktally-hostile-code", O_RDONLY | O_CLOEXEC), *ready = argument;
	size_t i;

	/* Neighbours differ in their offset, so they stay mappings of their own. */
	for (i = 0; i < MAPPINGS; i++) {
		void *address = (void *)(0x200000000000 + i * 4096);

		if (mmap(address, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, i % 2 ? 4096 : 0) == MAP_FAILED)
			return 1;
	}
	if (write(*ready, "", 1) != 1)
		return 2;
	/* The code is at 0x1040 of the file, so in every second mapping. */
	for (i = 1;; i = (i + 2 * 7919) % MAPPINGS | 1)
		((code)(0x200000000000 + i * 4096 + (CODE_OFFSET - 4096)))(20000);
	return 3;
}

TEST_F_TIMEOUT(crowds, a_hundred_thousand_mappings, 600)
{
	long most = read_number("/proc/sys/vm/max_map_count");
	uint64_t longest = 0;
	int ready[2];
	pid_t child;
	char byte;

	ASSERT_EQ(0, write_file("/proc/sys/vm/max_map_count", "200000"));
	write_code("/tmp/ktally-hostile-code", 'h');
	ASSERT_EQ(0, pipe(ready));
	child = start_child(map_very_much, &ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	bystander.begin = now_ns();
	while (!is_over()) {
		uint64_t before = now_ns();

		ASSERT_EQ(0, bystander_drain());
		longest = now_ns() - before > longest ? now_ns() - before : longest;
		sleep_seconds(0.05);
	}
	EXPECT_EQ(0, kill(child, 0));
	TH_LOG("%d mappings; a drain took at most %.3f s", MAPPINGS, (double)longest / 1e9);
	stop_child(child);
	unlink("/tmp/ktally-hostile-code");
	if (most > 0) {
		char text[32];

		snprintf(text, sizeof(text), "%ld", most);
		EXPECT_EQ(0, write_file("/proc/sys/vm/max_map_count", text));
	}
}

#define THREADS 2000

static void *wait_for_ever(void *argument)
{
	(void)argument;
	for (;;)
		pause();
	return NULL;
}

/* Executes from a thread with thousands of others beside it, which must all end first. */
static int execute_from_many(void *argument)
{
	static pthread_attr_t small;
	pthread_t thread;
	size_t i;

	(void)argument;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, &small, wait_for_ever, NULL))
			break;
	execl("/bin/true", "true", NULL);
	return 1;
}

TEST_F_TIMEOUT(crowds, thousands_of_threads_in_exec, 600)
{
	unsigned int rounds;

	ASSERT_EQ(0, session_open(&session, &everything, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (rounds = 0; !is_over() || rounds < 3; rounds++) {
		pid_t child = start_child(execute_from_many, NULL);

		ASSERT_EQ(0, session_run(&session, 0.5));
		EXPECT_EQ(0, wait_for_child(child));
		EXPECT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
		ASSERT_EQ(0, bystander_drain());
	}
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%u times %d threads", rounds, THREADS);
	session_close(&session);
}

TEST_HARNESS_MAIN
