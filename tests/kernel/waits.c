// SPDX-License-Identifier: GPL-2.0
/*
 * Waits are right: for every thread of a mixed program, time on the CPU, blocked and on the run queue add up to wall time; and
 * short ones are counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/loop.h>

#include "account.h"
#include "device.h"
#include "harness.h"
#include "workload.h"

/* ---- threads that keep their own accounts ---- */

enum kind { SLEEPER, PING, PONG, LOCKER, OTHER_LOCKER, HOG, OTHER_HOG, YIELDER, WANDERER, DISK_READER, KINDS };

static const char *const names[KINDS] = {
	"sleeper", "ping", "pong", "locker", "other locker", "hog", "other hog", "yielder", "wanderer",
	"disk reader",
};

#define DISK_BYTES (16 << 20)
#define READ_BYTES (1 << 20)

struct program {
	double seconds;
	int disk;		/* -1: there is none, and nobody to read it */
	int go[2];
	int ping[2];
	int pong[2];
	pthread_mutex_t mutex;
	struct account accounts[KINDS];
};

static struct program *program;

static int kinds(void)
{
	return program->disk < 0 ? DISK_READER : KINDS;
}

/* A disk that is waited for as any other, although it is but memory; it goes away with its last descriptor. */
static int open_disk(void)
{
	int memory = memfd_create("disk", MFD_CLOEXEC), control, disk;
	struct loop_config config = { .fd = (__u32)memory, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	char path[32];

	if (memory < 0 || ftruncate(memory, DISK_BYTES) || (access("/dev/loop-control", F_OK) && system("modprobe -q loop")))
		return -1;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	disk = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (disk >= 0 && ioctl(disk, LOOP_CONFIGURE, &config)) {
		close(disk);
		disk = -1;
	}
	close(control);
	close(memory);
	return disk;
}

static void read_disk(unsigned int count)
{
	static char buffer[READ_BYTES] __attribute__((aligned(4096)));

	if (pread(program->disk, buffer, READ_BYTES, count % (DISK_BYTES / READ_BYTES) * READ_BYTES) != READ_BYTES)
		_exit(1);
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
		pin_to_cpu(0, count % 2 ? other_cpu() : 0);
		spin(1000000);
		sleep_seconds(0.001);
		break;
	case DISK_READER:
		read_disk(count);
		break;
	default:
		spin(1000000);
	}
}

static void *run_thread(void *argument)
{
	struct account *account = argument;
	enum kind kind = (enum kind)(account - program->accounts);
	unsigned int count;

	if (kind == HOG || kind == OTHER_HOG || kind == YIELDER)
		pin_to_cpu(0, other_cpu());
	account_begin(account);
	for (count = 0; now_ns() - account->begin < (uint64_t)(program->seconds * 1e9); count++)
		step(kind, count);
	account_end(account);
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
	for (kind = 0; kind < kinds(); kind++)
		if (pthread_create(&threads[kind], NULL, run_thread, &program->accounts[kind]))
			return 1;
	pause();
	return 0;
}

static void create_program(double seconds)
{
	program = mmap(NULL, sizeof(*program), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	program->seconds = seconds;
	program->disk = open_disk();
	if (pipe(program->go) || pipe(program->ping) || pipe(program->pong))
		abort();
	pthread_mutex_init(&program->mutex, NULL);
}

static void take_wait(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	int kind;

	if (record->type == KTALLY_RECORD_OFFCPU)
		for (kind = 0; kind < kinds(); kind++)
			account_take(&program->accounts[kind], session_task(from, wait->task_id), wait);
}

static bool all_ended(void)
{
	int kind;

	for (kind = 0; kind < kinds(); kind++)
		if (!__atomic_load_n(&program->accounts[kind].end, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static struct session session;

/* ---- tests ---- */

TEST(on_cpu_and_waits_are_wall_time)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.ring_bytes = 4 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	const struct account *reader;
	pid_t child;
	int kind;

	create_program(is_slow() ? 5 : 20);
	child = start_child(run_program, NULL);
	ASSERT_EQ(0, session_follow(&session, &setup, child));
	session.on_record = take_wait;
	ASSERT_EQ(1, write(program->go[1], "", 1));
	while (!all_ended()) {
		ASSERT_EQ(0, session_run(&session, 0.2));
		ASSERT_LT(now_ns() - session.begin, 10 * (uint64_t)(program->seconds * 1e9));
	}
	ASSERT_EQ(0, session_finish(&session));
	ASSERT_STREQ("", session.error);
	/* A host that stops a CPU for long looks like a module that takes long: then it leaves out some waits of microseconds. */
	TH_LOG("thinned, or no longer, %ju times", (uintmax_t)session_total(&session).throttles);
	EXPECT_EQ(0, session_total(&session).lost[KTALLY_LOST_FULL].count);
	EXPECT_EQ(0, session_total(&session).lost[KTALLY_LOST_BUSY].count);

	for (kind = 0; kind < kinds(); kind++) {
		const struct account *account = &program->accounts[kind];

		TH_LOG("%-12s %6.3f s: %6.3f on CPU, %6.3f blocked, %6.3f in the queue (%6.3f), %ju waits: %+.3f %%", names[kind],
		       (double)account_wall(account) / 1e9, (double)account->cpu / 1e9, (double)account->blocked / 1e9,
		       (double)account->run_queue / 1e9, (double)account->delay / 1e9, (uintmax_t)account->waits,
		       100 * account_error(account));
		EXPECT_LT(fabs(account_error(account)), 0.01);
		/*
		 * The scheduler's clock stops for a switch, so that a host that stops the CPU there sets the two apart. Of who is
		 * moved to another CPU during its turn the scheduler counts less than the time that it did not run.
		 */
		if (kind != WANDERER)
			EXPECT_LT(fabs((double)account->run_queue - (double)account->delay), 0.05 * (double)account_wall(account));
	}
	/* And each kind of wait has its name. */
	EXPECT_GT(program->accounts[SLEEPER].seen[KTALLY_OFFCPU_SLEEP], (uint64_t)(program->seconds * 0.5e9));
	EXPECT_GT(program->accounts[LOCKER].blocked, (uint64_t)(program->seconds * 0.2e9));
	EXPECT_GT(program->accounts[HOG].seen[KTALLY_OFFCPU_PREEMPTED], (uint64_t)(program->seconds * 0.2e9));
	EXPECT_GT(program->accounts[YIELDER].seen[KTALLY_OFFCPU_YIELDED], (uint64_t)(program->seconds * 0.1e9));
	EXPECT_EQ(0, program->accounts[HOG].blocked);
	if (program->disk < 0) {
		TH_LOG("no loop device here: waits for a disk are not tried");
	} else {
		/* Whatever else it waits for, such as memory, is not for long. */
		reader = &program->accounts[DISK_READER];
		EXPECT_GT(reader->seen[KTALLY_OFFCPU_IOWAIT], (uint64_t)(program->seconds * 0.02e9));
		EXPECT_GT(reader->seen[KTALLY_OFFCPU_IOWAIT], 9 * reader->seen[KTALLY_OFFCPU_SLEEP]);
		EXPECT_GT(reader->seen[KTALLY_OFFCPU_IOWAIT], 9 * reader->seen[KTALLY_OFFCPU_DISK]);
		EXPECT_EQ(0, close(program->disk));
	}
	stop_child(child);
	session_close(&session);
}

/* How often the time budget thinned what is kept in a second, while one process sleeps ten times and all its waits are kept. */
static uint64_t thinned(struct __test_metadata *_metadata, pid_t sleeper, bool everybody)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.keep_ns = everybody ? 50000000 : 0,
		.budget_ppm = 2000,
		.pids = (uintptr_t)&sleeper,
		.pid_count = !everybody,
	};
	uint64_t throttles;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, session_finish(&session));
	ASSERT_STREQ("", session.error);
	throttles = session_total(&session).throttles;
	TH_LOG("%s: %ju records, thinned, or no longer, %ju times", everybody ? "everybody" : "one", (uintmax_t)session_total(&session).waits,
	       (uintmax_t)throttles);
	session_close(&session);
	return throttles;
}

static int sleep_now_and_then(void *argument)
{
	(void)argument;
	for (;;)
		sleep_seconds(0.1);
	return 0;
}

/* Switches of which nothing is kept take time as well, be they of those who are followed or of others: the budget has it. */
TEST(switches_are_charged)
{
	pid_t sleeper, pair;
	uint64_t without;
	int everybody, tries;

	/* A CPU's switches are charged where the next wait is kept. */
	pin_to_cpu(0, 0);
	sleeper = start_child(sleep_now_and_then, NULL);
	/* A host that stops a CPU for long looks like a module that takes long, but for a clock that counts instructions. */
	for (everybody = 0; everybody < 2; everybody++) {
		without = thinned(_metadata, sleeper, everybody);
		if (number_from("KTALLY_COUNTED", 0))
			EXPECT_EQ(0, without);
	}
	pair = start_ping_pong();
	for (everybody = 0; everybody < 2; everybody++) {
		/* Nor are there many switches on a host that hardly runs. */
		for (tries = 0; tries < 5 && !thinned(_metadata, sleeper, everybody); tries++)
			continue;
		EXPECT_GT(5, tries);
	}
	stop_child(pair);
	stop_child(sleeper);
}

static uint64_t waits_short(void)
{
	return session_sum(&session, offsetof(struct ktally_ring_producer, waits_short.count));
}

TEST(short_waits_are_counted)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.wait_min_ns = KTALLY_KEEP_NS_MAX,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	struct ktally_keep nonsense = { .size = sizeof(nonsense), .reserved = 1 };
	pid_t child = start_ping_pong();
	uint64_t waits, told;
	struct tally total;

	ASSERT_EQ(0, session_follow(&session, &setup, child));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_EQ(0, session_total(&session).waits);
	EXPECT_GT(waits_short(), 100);
	EXPECT_GT(session_sum(&session, offsetof(struct ktally_ring_producer, waits_short.weight)), 0);

	/* Both may change while it runs. */
	EXPECT_EQ(0, device_set_keep(session.fd, 0, 0));
	EXPECT_EQ(-EINVAL, device_set_keep(session.fd, KTALLY_KEEP_NS_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, device_set_keep(session.fd, 0, KTALLY_KEEP_NS_MAX + 1));
	EXPECT_EQ(-1, ioctl(session.fd, KTALLY_IOC_SET_KEEP, &nonsense));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_GT(session_total(&session).waits, 50);
	ASSERT_STREQ("", session.error);
	/* Each is somewhere, but for those that the time budget made the module drop. */
	total = session_total(&session);
	waits = session_sum(&session, offsetof(struct ktally_ring_producer, waits));
	told = waits_short() + total.waits + tally_lost_samples(&total).count;
	EXPECT_GE(waits, told);
	if (!total.throttles)
		EXPECT_EQ(waits, told);
	stop_child(child);
	session_close(&session);
}

TEST_HARNESS_MAIN
