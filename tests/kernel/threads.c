// SPDX-License-Identifier: GPL-2.0
/*
 * Threads come and go by the ten thousand, are more than there are places for, take over each other's numbers: whoever is there is
 * followed, and nothing is left of who is gone.
 */
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <linux/sched.h>

#include "account.h"
#include "device.h"
#include "harness.h"
#include "workload.h"

#define MEMORY_LIMIT "/sys/module/ktally/parameters/memory_limit_mb"

static struct session session;

static uint64_t lost_threads(void)
{
	return session_sum(&session, offsetof(struct ktally_ring_producer, lost[KTALLY_LOST_THREADS].count));
}

/* ------------------------------------------------------------------------------------------------ a process with threads */

/**
 * struct nursery - shared by the process and the test
 * @orders: bytes from the test, of enum order
 * @done: a byte for each that was carried out
 * @count: of threads
 * @slept: how many of those that live until END have done so for the first time
 * @end: they end
 * @account: of the one thread that keeps one
 */
struct nursery {
	int orders[2], done[2];
	unsigned int count;
	unsigned int slept;
	bool end;
	struct account account;
};

/* CHURN: so many threads begin and end. BREED: so many live until END. FOLLOW: one that keeps an account. */
enum order { CHURN = 1, BREED, END, FOLLOW };

#define BATCH 32

static struct nursery *nursery;

static void *live_shortly(void *argument)
{
	sleep_seconds((double)(1 + (uintptr_t)argument % 16) / 1e4);
	return NULL;
}

static void *live_until_end(void *argument)
{
	sleep_seconds(0.1);
	__atomic_add_fetch(&nursery->slept, 1, __ATOMIC_ACQ_REL);
	while (!__atomic_load_n(&nursery->end, __ATOMIC_ACQUIRE))
		sleep_seconds(0.1);
	return argument;
}

static void *keep_account(void *argument)
{
	int round;

	memset(&nursery->account, 0, sizeof(nursery->account));
	account_begin(&nursery->account);
	for (round = 0; round < 200; round++) {
		spin(2000000);
		sleep_seconds(0.003);
	}
	account_end(&nursery->account);
	return argument;
}

/* However many, up to a thousand are there at once. */
static void create_threads(pthread_t *threads, unsigned int count, void *(*function)(void *argument))
{
	pthread_attr_t attributes;
	uintptr_t i;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, function, (void *)i))
			_exit(1);
}

static void join_threads(const pthread_t *threads, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static int run_nursery(void *argument)
{
	static pthread_t threads[1000];
	unsigned int born;
	char order;

	(void)argument;
	while (read(nursery->orders[0], &order, 1) == 1) {
		switch ((enum order)order) {
		case CHURN:
			for (born = 0; born < nursery->count; born += BATCH) {
				create_threads(threads, BATCH, live_shortly);
				join_threads(threads, BATCH);
			}
			break;
		case BREED:
			create_threads(threads, nursery->count, live_until_end);
			while (__atomic_load_n(&nursery->slept, __ATOMIC_ACQUIRE) < nursery->count)
				sleep_seconds(0.05);
			break;
		case END:
			__atomic_store_n(&nursery->end, true, __ATOMIC_RELEASE);
			join_threads(threads, nursery->count);
			break;
		case FOLLOW:
			create_threads(threads, 1, keep_account);
			join_threads(threads, 1);
		}
		if (write(nursery->done[1], "", 1) != 1)
			break;
	}
	return 1;
}

static pid_t start_nursery(unsigned int count)
{
	nursery = mmap(NULL, sizeof(*nursery), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	nursery->count = count;
	if (pipe(nursery->orders) || pipe(nursery->done))
		abort();
	return start_child(run_nursery, NULL);
}

/* Open waits are told all the while: of threads that end just now as well. */
static void order(struct __test_metadata *_metadata, char what)
{
	struct pollfd answer = { .fd = nursery->done[0], .events = POLLIN };
	char byte;

	ASSERT_EQ(1, write(nursery->orders[1], &what, 1));
	while (!poll(&answer, 1, 20)) {
		ASSERT_EQ(0, device_flush(session.fd, 0));
		ASSERT_LE(0, session_drain(&session));
		ASSERT_STREQ("", session.error);
	}
	ASSERT_EQ(1, read(nursery->done[0], &byte, 1));
}

static void take_account(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;

	if (record->type == KTALLY_RECORD_OFFCPU)
		account_take(&nursery->account, session_task(from, wait->task_id), wait);
}

/* A thread that begins now is followed as if there never had been another. */
static void check_new_thread(struct __test_metadata *_metadata)
{
	uint64_t lost = lost_threads();

	session.on_record = take_account;
	ASSERT_EQ(0, device_set_keep(session.fd, 0, 0));
	order(_metadata, FOLLOW);
	ASSERT_EQ(0, session_settle(&session));
	TH_LOG("a thread that comes later: %+.3f %% in %ju waits", 100 * account_error(&nursery->account),
	       (uintmax_t)nursery->account.waits);
	/* One second is short: a host that stops a CPU in the middle of a switch for some 10 ms can be seen in it. */
	EXPECT_LT(fabs(account_error(&nursery->account)), 0.1);
	EXPECT_GE(nursery->account.waits, 200);
	EXPECT_EQ(lost, lost_threads());
}

/* ------------------------------------------------------------------------------------------------ memory */

/**
 * struct memory - what the kernel says that it uses
 * @areas: mappings made by the module
 * @kmalloc: bytes in objects of kmalloc()
 * @tasks: task structures
 */
struct memory {
	unsigned int areas;
	int64_t kmalloc;
	int64_t tasks;
};

static struct memory look_at_memory(void)
{
	struct memory memory = {};
	long long objects, size;
	char line[512], name[64];
	FILE *file = fopen("/proc/vmallocinfo", "r");

	while (file && fgets(line, sizeof(line), file))
		memory.areas += !!strstr(line, "[ktally]");
	if (file)
		fclose(file);
	file = fopen("/proc/slabinfo", "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %lld %*d %lld", name, &objects, &size) != 3)
			continue;
		if (!strncmp(name, "kmalloc-", 8))
			memory.kmalloc += objects * size;
		if (!strcmp(name, "task_struct"))
			memory.tasks = objects;
	}
	if (file)
		fclose(file);
	return memory;
}

/* In how little memory there is room for a session, whose table alone is more than 4 MiB; 0: in none. */
static unsigned int least_limit(void)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_OFFCPU, .threads = KTALLY_THREADS_DEFAULT };
	unsigned int mb;
	char text[16];

	for (mb = 1; mb <= 256; mb++) {
		int fd = device_open(), error;

		snprintf(text, sizeof(text), "%u", mb);
		error = write_file(MEMORY_LIMIT, text) ?: device_setup(fd, &setup);
		close(fd);
		if (!error)
			break;
	}
	write_file(MEMORY_LIMIT, "256");
	return mb <= 256 ? mb : 0;
}

/* ------------------------------------------------------------------------------------------------ tests: many threads */

#define PLACES 512

TEST(threads_come_and_go)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.keep_ns = 1000000,
		.threads = PLACES,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	unsigned int count = (unsigned int)number_from("KTALLY_CHURN_THREADS", !is_emulated() ? 50000 : is_slow() ? 2500 : 15000);
	unsigned int limit = least_limit();
	pid_t child = start_nursery(count);
	struct memory before, after;

	EXPECT_GE(limit, 5);
	available_kb();
	before = look_at_memory();
	ASSERT_EQ(0, session_follow(&session, &setup, child));
	EXPECT_GT(look_at_memory().areas, before.areas);
	order(_metadata, CHURN);
	TH_LOG("%u threads in %u places: %ju waits, %ju open waits told, %ju waits without a place", count, PLACES,
	       (uintmax_t)session_sum(&session, offsetof(struct ktally_ring_producer, waits)),
	       (uintmax_t)session_total(&session).open_waits, (uintmax_t)lost_threads());
	EXPECT_EQ(0, lost_threads());
	check_new_thread(_metadata);
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	/* Each waited to begin and slept, but for a few whose time was over too soon; who is taken for another had begun before. */
	EXPECT_GE(session_sum(&session, offsetof(struct ktally_ring_producer, waits)), (uint64_t)count * 19 / 10);
	session_close(&session);

	stop_child(child);
	available_kb();
	sleep_seconds(0.5);
	after = look_at_memory();
	TH_LOG("%+lld bytes of kmalloc(), %+lld tasks", (long long)(after.kmalloc - before.kmalloc),
	       (long long)(after.tasks - before.tasks));
	EXPECT_EQ(before.areas, after.areas);
	EXPECT_EQ(limit, least_limit());
	/* What KASAN holds back is not free either. */
	if (!is_slow()) {
		EXPECT_LT(after.kmalloc - before.kmalloc, 32 * (int64_t)count);
		EXPECT_LT(after.tasks - before.tasks, (int64_t)count / 100);
	}
}

TEST(more_threads_than_there_are_places)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.keep_ns = 1000000,
		.threads = 64,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	pid_t child = start_nursery(300);
	uint64_t lost;

	ASSERT_EQ(0, session_follow(&session, &setup, child));
	order(_metadata, BREED);
	ASSERT_EQ(0, session_run(&session, 0.5));
	lost = lost_threads();
	TH_LOG("%ju waits, and %ju of threads without a place", (uintmax_t)session_total(&session).waits, (uintmax_t)lost);
	EXPECT_GT(session_total(&session).waits, 0);
	/* Most of them had none, and each left the CPU at least to sleep for the first time. */
	EXPECT_GE(lost, 300 - 64);
	order(_metadata, END);
	check_new_thread(_metadata);
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	stop_child(child);
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ tests: identities */

/**
 * struct life - of a process and its threads: what the records say
 * @pid: process
 * @waited: nanoseconds, of all that had the number @pid as their thread id
 * @others: of the thread with the number after that, and the next
 * @start_time: as they say
 * @lives: number of different start times
 * @slept: of @waited, under the name of "sleep"
 */
struct life {
	uint32_t pid;
	uint64_t waited;
	uint64_t others[2];
	uint64_t start_time;
	unsigned int lives;
	uint64_t slept;
};

static void take_life(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	const struct ktally_task *task;
	struct life *life = from->context;
	uint64_t took;

	if (record->type != KTALLY_RECORD_OFFCPU || record->flags & KTALLY_OFFCPU_PARTIAL)
		return;
	task = session_task(from, wait->task_id);
	took = wait->time - wait->start;
	if (task->pid != life->pid)
		return;
	if (task->tid != task->pid) {
		life->others[task->tid % 2] += took;
		return;
	}
	life->waited += took;
	life->lives += task->start_time != life->start_time;
	life->start_time = task->start_time;
	if (!strcmp((const char *)task->comm, "sleep"))
		life->slept += took;
}

static const struct ktally_setup everybody = {
	.sources = KTALLY_SOURCE_OFFCPU,
	.ring_bytes = 1 << 20,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
};

/* A thread cannot have waited for longer than it lived. */
static bool is_possible(uint64_t waited, uint64_t wall)
{
	return (double)waited <= 1.01 * (double)wall + 1e6;
}

static pid_t start_with_number(pid_t number, bool for_ever)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = number ? (uintptr_t)&number : 0,
		.set_tid_size = !!number,
	};
	pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (!child) {
		int round;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (round = 0; round < 5 || for_ever; round++)
			sleep_seconds(0.001);
		_exit(0);
	}
	return child;
}

/* Every second of them is killed, most likely while it waits. */
TEST(one_number_for_many)
{
	unsigned int round, rounds = is_slow() ? 30 : 100;
	uint64_t last_start = 0;
	struct life life;
	pid_t number = start_with_number(0, false);

	ASSERT_LT(0, number);
	ASSERT_EQ(0, wait_for_child(number));
	ASSERT_EQ(0, session_follow(&session, &everybody, 0));
	session.on_record = take_life;
	session.context = &life;
	for (round = 0; round < rounds; round++) {
		uint64_t began = now_ns(), wall;

		life = (struct life) { .pid = (uint32_t)number };
		ASSERT_EQ(number, start_with_number(number, round % 2));
		if (round % 2) {
			sleep_seconds(0.003);
			kill(number, SIGKILL);
		}
		EXPECT_EQ(round % 2 ? -1 : 0, wait_for_child(number));
		wall = now_ns() - began;
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_TRUE(is_possible(life.waited, wall));
		if (!(round % 2))
			EXPECT_GT(life.waited, 2000000);
		EXPECT_EQ(1, life.lives);
		EXPECT_GT(life.start_time, last_start);
		last_start = life.start_time;
	}
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
}

static void *wait_for_ever(void *argument)
{
	pause();
	return argument;
}

static void *execute(void *argument)
{
	sleep_seconds(0.05);
	execl("/bin/sleep", "sleep", "0.1", NULL);
	_exit(127);
	return argument;
}

static int execute_in_thread(void *argument)
{
	pthread_t threads[2];

	(void)argument;
	if (pthread_create(&threads[0], NULL, wait_for_ever, NULL) || pthread_create(&threads[1], NULL, execute, NULL))
		return 1;
	pause();
	return 1;
}

/* One of three threads executes another program: it takes over the number of the first, which waits and dies of it. */
TEST(another_thread_takes_over)
{
	struct life life;
	int round;

	ASSERT_EQ(0, session_follow(&session, &everybody, 0));
	session.on_record = take_life;
	session.context = &life;
	for (round = 0; round < 10; round++) {
		uint64_t began = now_ns(), wall;
		pid_t child;

		life = (struct life) {};
		child = start_child(execute_in_thread, NULL);
		life.pid = (uint32_t)child;
		EXPECT_EQ(0, wait_for_child(child));
		wall = now_ns() - began;
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_TRUE(is_possible(life.waited, wall));
		EXPECT_TRUE(is_possible(life.others[0], wall));
		EXPECT_TRUE(is_possible(life.others[1], wall));
		EXPECT_EQ(1, life.lives);
		EXPECT_GT(life.slept, 50000000);
		/* What the first had waited before, which was to be for ever. */
		EXPECT_GT(life.waited, life.slept + 10000000);
	}
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
}

TEST_HARNESS_MAIN
