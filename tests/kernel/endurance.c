// SPDX-License-Identifier: GPL-2.0
/* Waits are right when there are as many as a machine can make: none is missed, what is kept of them stays an estimate of all. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "account.h"
#include "device.h"
#include "harness.h"
#include "workload.h"

#define KEEP_NS 1000000

static struct session session;

/* As long as a machine should stand it. */
static double duration(void)
{
	return (double)number_from("KTALLY_STORM_SECONDS", !is_emulated() ? 60 : is_slow() ? 5 : 10);
}

/* ------------------------------------------------------------------------------------------------ threads that switch */

/* On every CPU two that pass a byte through pipes, two that wake each other by a futex, and two that yield. */
enum kind { PING, PONG, ONE, OTHER, YIELDER, OTHER_YIELDER, KINDS };

struct pair {
	int there[2], back[2];
	uint32_t turn;
};

#define NOBODYS_TURN 2

/**
 * struct storm - shared by the process that switches and the test
 * @cpus: it runs on that many
 * @stop: all threads go to sleep
 * @go: a byte for each thread
 * @pairs: by CPU
 * @accounts: KINDS for each CPU
 */
struct storm {
	unsigned int cpus;
	bool stop;
	int go[2];
	struct pair pairs[CPUS_MAX];
	struct account accounts[CPUS_MAX * KINDS];
};

static struct storm *storm;

static bool is_over(void)
{
	return __atomic_load_n(&storm->stop, __ATOMIC_SEQ_CST);
}

static void put(int fd, char byte)
{
	if (write(fd, &byte, 1) != 1)
		_exit(1);
}

static char get(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(1);
	return byte;
}

enum byte { GO_ON, END };

/* Only one of the two looks whether it is over, and tells the other: else one may go on with nobody there. */
static void ping(struct pair *pair)
{
	while (!is_over()) {
		put(pair->there[1], GO_ON);
		get(pair->back[0]);
	}
	put(pair->there[1], END);
}

static void pong(struct pair *pair)
{
	while (get(pair->there[0]) != END)
		put(pair->back[1], GO_ON);
}

/* Here both look: who is the first gives the turn to nobody, which lets the other go on, too. */
static void give_turn(struct pair *pair, uint32_t turn)
{
	__atomic_store_n(&pair->turn, turn, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &pair->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void take_turns(struct pair *pair, uint32_t me)
{
	while (!is_over()) {
		while (__atomic_load_n(&pair->turn, __ATOMIC_SEQ_CST) == !me)
			syscall(SYS_futex, &pair->turn, FUTEX_WAIT, !me, NULL, NULL, 0);
		give_turn(pair, !me);
	}
	give_turn(pair, NOBODYS_TURN);
}

static void *run_thread(void *argument)
{
	struct account *account = argument;
	size_t number = (size_t)(account - storm->accounts);
	struct pair *pair = &storm->pairs[number / KINDS];

	pin_to_cpu(0, (int)(number / KINDS));
	get(storm->go[0]);
	account_begin(account);
	switch ((enum kind)(number % KINDS)) {
	case PING:
		ping(pair);
		break;
	case PONG:
		pong(pair);
		break;
	case ONE:
	case OTHER:
		take_turns(pair, number % KINDS == OTHER);
		break;
	default:
		while (!is_over())
			sched_yield();
	}
	account_end(account);
	pause();
	return NULL;
}

static int run_storm(void *argument)
{
	pthread_t thread;
	size_t number;

	(void)argument;
	for (number = 0; number < storm->cpus * KINDS; number++)
		if (pthread_create(&thread, NULL, run_thread, &storm->accounts[number]))
			return 1;
	pause();
	return 0;
}

/*
 * Says whether a thread has left the CPU. Its state does not: it says "sleeping" while the thread is still on its way there, for as
 * long as its virtual CPU gets no time of the host. /proc/PID/syscall does: to read it the kernel waits until the thread is away.
 */
static bool has_left(int task)
{
	char text[8] = "running";
	int fd = openat(task, "syscall", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		abort();
	close(fd);
	return strncmp(text, "running", strlen("running")) != 0;
}

static uint64_t switches_of(int task)
{
	unsigned long long number, switches = 0;
	int fd = openat(task, "status", O_RDONLY);
	FILE *file = fdopen(fd, "r");
	char line[128];

	if (!file)
		abort();
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &number) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %llu", &number) == 1)
			switches += number;
	fclose(file);
	return switches;
}

/* Sums over all threads of a process; whether all of them have left the CPU. */
static bool are_away(pid_t pid, unsigned int *threads, uint64_t *switches)
{
	struct dirent *entry;
	bool away = true;
	char path[64];
	DIR *tasks;
	int task;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		abort();
	*threads = 0;
	*switches = 0;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		task = openat(dirfd(tasks), entry->d_name, O_DIRECTORY | O_PATH);
		if (task < 0)
			abort();
		away &= has_left(task);
		*switches += switches_of(task);
		*threads += 1;
		close(task);
	}
	closedir(tasks);
	return away;
}

/* One thread may wake another that was looked at before: none has if the figures stay as they are. */
static uint64_t switches_when_away(pid_t pid, unsigned int threads)
{
	uint64_t switches, before = UINT64_MAX;
	unsigned int seen;

	for (;;) {
		bool away = are_away(pid, &seen, &switches) && seen == threads;

		if (away && switches == before)
			return switches;
		before = away ? switches : UINT64_MAX;
		sleep_seconds(0.05);
	}
}

static pid_t start_storm(void)
{
	unsigned int cpu;

	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	storm->cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	for (cpu = 0; cpu < storm->cpus; cpu++)
		if (pipe(storm->pairs[cpu].there) || pipe(storm->pairs[cpu].back))
			abort();
	if (pipe(storm->go))
		abort();
	return start_child(run_storm, NULL);
}

static void take_wait(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	const struct ktally_throttle *throttle = (const void *)record;
	uint32_t *thin = from->context;
	size_t number;

	if (record->type == KTALLY_RECORD_THROTTLE && throttle->thin > *thin)
		*thin = throttle->thin;
	if (record->type == KTALLY_RECORD_OFFCPU)
		for (number = 0; number < storm->cpus * KINDS; number++)
			account_take(&storm->accounts[number], session_task(from, wait->task_id), wait);
}

/**
 * struct sum - of all threads' accounts
 * @waiting: nanoseconds, as they say: what is left of wall time
 * @weight: as the records say
 * @records: number of these
 */
struct sum {
	double waiting, weight, records;
};

static struct sum sum_up(void)
{
	struct sum sum = {};
	size_t number;

	for (number = 0; number < storm->cpus * KINDS; number++) {
		const struct account *account = &storm->accounts[number];

		sum.waiting += (double)(account_wall(account) - account->cpu);
		sum.weight += (double)account->weight;
		sum.records += (double)account->waits;
	}
	return sum;
}

FIXTURE(switches)
{
	pid_t child;
	unsigned int threads;
	uint64_t switches;
	uint64_t waits;
	uint32_t thin;
};

FIXTURE_SETUP(switches)
{
	self->thin = 1;
	self->child = start_storm();
	self->threads = storm->cpus * KINDS + 1;
	self->switches = switches_when_away(self->child, self->threads);
}

FIXTURE_TEARDOWN(switches)
{
	stop_child(self->child);
	session_close(&session);
}

static void run_for(struct __test_metadata *_metadata, FIXTURE_DATA(switches) *self, double seconds, bool read_them)
{
	size_t number;
	uint64_t begin;
	int error = 0;

	session.on_record = take_wait;
	session.context = &self->thin;
	begin = now_ns();
	for (number = 0; number < storm->cpus * KINDS; number++)
		put(storm->go[1], GO_ON);
	if (read_them)
		error = session_run(&session, seconds);
	else
		sleep_seconds(seconds);
	ASSERT_EQ(0, error);
	__atomic_store_n(&storm->stop, true, __ATOMIC_SEQ_CST);
	begin = now_ns() - begin;
	self->switches = switches_when_away(self->child, self->threads) - self->switches;
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	self->waits = session_sum(&session, offsetof(struct ktally_ring_producer, waits));
	TH_LOG("%.0f switches per second, of %u threads", (double)self->switches / ((double)begin / 1e9), self->threads);

	/*
	 * Each thread slept when the session began and sleeps as it ends, so that each switch away from one has exactly one wait
	 * that ended: its first wait was there before, its last goes on.
	 */
	EXPECT_EQ(self->switches, self->waits);
	EXPECT_EQ(0, session_total(&session).lost[KTALLY_LOST_THREADS].count);
}

/*
 * A wait of d is a record with probability d / D, or surely: so there are at most W / D records of W waiting in all, but for
 * chance, and in each window of the time budget D grows, so that there are fewer. Their weights sum to W with a variance of at
 * most W D, and D is at most what it was when it was thinned most.
 */
static void check_estimate(struct __test_metadata *_metadata, const FIXTURE_DATA(switches) *self)
{
	struct tally total = session_total(&session);
	double lost = (double)tally_lost_samples(&total).weight, keep = KEEP_NS * (double)self->thin;
	struct sum sum = sum_up();
	double most = sum.waiting / KEEP_NS;

	TH_LOG("%.3f s of waiting, %+.2f %% by weight (sigma %.2f %%); %.0f records, %.0f at most; thinned by %u",
	       sum.waiting / 1e9, 100 * (sum.weight + lost - sum.waiting) / sum.waiting, 100 * sqrt(keep / sum.waiting),
	       sum.records, most, self->thin);
	EXPECT_LT(fabs(sum.weight + lost - sum.waiting), 0.01 * sum.waiting + 4 * sqrt(sum.waiting * keep));
	EXPECT_LT(sum.records, most + 4 * sqrt(most));
	EXPECT_GT(sum.records, 0);
}

static const struct ktally_setup storm_setup = {
	.sources = KTALLY_SOURCE_OFFCPU,
	.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
	.ring_bytes = 4 << 20,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	.keep_ns = KEEP_NS,
};

TEST_F(switches, as_many_as_can_be)
{
	ASSERT_EQ(0, session_follow(&session, &storm_setup, self->child));
	run_for(_metadata, self, duration(), true);
	check_estimate(_metadata, self);
}

/* What may be spent on them is little, so that most of the time fewer are kept. */
TEST_F(switches, within_the_time_budget)
{
	struct ktally_setup setup = storm_setup;

	setup.budget_ppm = 3000;
	ASSERT_EQ(0, session_follow(&session, &setup, self->child));
	run_for(_metadata, self, duration() / 2, true);
	check_estimate(_metadata, self);
	EXPECT_GT(session_total(&session).throttles, 0);
	EXPECT_GT(self->thin, 1);
}

/* All are kept, and nobody reads them: of most there is but a number, and that is right. */
TEST_F(switches, more_than_the_ring_holds)
{
	struct ktally_setup setup = storm_setup;
	struct tally total;

	setup.keep_ns = 0;
	setup.ring_bytes = KTALLY_RING_BYTES_MIN;
	ASSERT_EQ(0, session_follow(&session, &setup, self->child));
	run_for(_metadata, self, duration() / 5, false);
	total = session_total(&session);
	TH_LOG("%ju waits, %ju records, %ju lost, thinned by %u", (uintmax_t)self->waits, (uintmax_t)total.waits,
	       (uintmax_t)tally_lost_samples(&total).count, self->thin);
	EXPECT_GT(total.waits, 0);
	EXPECT_GT(total.lost[KTALLY_LOST_FULL].count, total.waits);
	if (!total.throttles)
		EXPECT_EQ(self->waits, total.waits + tally_lost_samples(&total).count);
}

TEST_HARNESS_MAIN
