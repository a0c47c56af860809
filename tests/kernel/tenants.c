// SPDX-License-Identifier: GPL-2.0
/*
 * Every kind of opener against every other: what each sees, counts, slows down and uses up of the others. A table, printed and checked.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "workload.h"

/* uid_a and uid_b have no rights, namespace and container are root, but only in a user namespace of their own. */
enum tenant { ROOT, PERFMON, UID_A, UID_B, NAMESPACE, CONTAINER, TENANTS };

static const char *const names[TENANTS] = { "root", "perfmon", "uid_a", "uid_b", "namespace", "container" };

static bool is_privileged(enum tenant tenant)
{
	return tenant == ROOT || tenant == PERFMON;
}

/* ------------------------------------------------------------------------------------------------ becoming one */

static void write_or_exit(const char *path, const char *text)
{
	if (write_file(path, text))
		exit(103);
}

static void enter_namespaces(int kinds, unsigned int id)
{
	char map[32];
	pid_t child;

	if (unshare(CLONE_NEWUSER | kinds))
		exit(104);
	snprintf(map, sizeof(map), "0 %u 1", id);
	write_or_exit("/proc/self/setgroups", "deny");
	write_or_exit("/proc/self/uid_map", map);
	write_or_exit("/proc/self/gid_map", map);
	if (!(kinds & CLONE_NEWPID))
		return;
	/* The first process of a pid namespace is the next one. */
	child = fork();
	if (child)
		exit(wait_for_child(child));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void become(enum tenant tenant)
{
	unsigned int id = 2000 + tenant;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tenant == ROOT)
		return;
	prctl(PR_SET_KEEPCAPS, 1);
	if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
		exit(102);
	set_capabilities(tenant == PERFMON ? 1ULL << CAP_PERFMON : 0);
	/* Who has changed ids may not dump core, until he says so. */
	prctl(PR_SET_DUMPABLE, 1);
	if (tenant == NAMESPACE)
		enter_namespaces(0, id);
	if (tenant == CONTAINER)
		enter_namespaces(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET, id);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* ------------------------------------------------------------------------------------------------ what is shared */

/**
 * struct row - what an opener found out
 * @allowed: info.allowed
 * @seen: samples, by whose process they are of
 * @strangers: TASK and EXIT records of processes that are nobody's here
 * @kernel_frames: frames of the kernel in stacks
 * @waits: producer.waits of all rings, when it has no process but itself
 * @flushes: how many FLUSH succeeded in a second
 * @sessions: how many it could set up at a time
 * @figures: host-wide figures in fdinfo
 */
struct row {
	uint64_t allowed;
	uint64_t seen[TENANTS];
	uint64_t strangers;
	uint64_t kernel_frames;
	uint64_t waits;
	uint64_t flushes;
	uint64_t sessions;
	uint64_t figures;
};

static struct shared {
	struct row rows[TENANTS];
	volatile pid_t pids[TENANTS];	/* of the processes that are there to be seen */
	volatile bool go;		/* for who holds what it got */
} *shared;

static struct session session;
static struct row *row;

FIXTURE(tenants)
{
	pid_t churners[2];
};

FIXTURE_SETUP(tenants)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	self->churners[0] = start_ping_pong();
	self->churners[1] = start_fork_storm();
}

FIXTURE_TEARDOWN(tenants)
{
	stop_child(self->churners[0]);
	stop_child(self->churners[1]);
}

/* ------------------------------------------------------------------------------------------------ seeing */

/* One is known by its name, for its pid is another where a container begins with a fork. */
static int run_seen(void *argument)
{
	char name[16];

	snprintf(name, sizeof(name), "seen-%d", (enum tenant)(uintptr_t)argument);
	prctl(PR_SET_NAME, name);
	for (;;) {
		spin(2000000);
		sleep_seconds(0.001);
	}
	return 0;
}

static int be_seen(void *argument)
{
	become((enum tenant)(uintptr_t)argument);
	return run_seen(argument);
}

static int tenant_of(const struct ktally_task *task)
{
	return task && !strncmp((const char *)task->comm, "seen-", 5) ? task->comm[5] - '0' : -1;
}

static void note(struct session *from, const struct ktally_record *record)
{
	if (record->type == KTALLY_RECORD_SAMPLE) {
		const struct ktally_sample *sample = (const void *)record;
		int tenant = tenant_of(session_task(from, sample->task_id));

		if (tenant >= 0 && tenant < TENANTS)
			row->seen[tenant]++;
	} else if (record->type == KTALLY_RECORD_TASK) {
		const struct ktally_task *task = (const void *)record;

		row->strangers += tenant_of(task) < 0 && strcmp((const char *)task->comm, "watcher");
	} else if (record->type == KTALLY_RECORD_STACK) {
		row->kernel_frames += ((const struct ktally_stack *)record)->kernel_frames;
	}
}

static int watch(void *argument)
{
	enum tenant tenant = (enum tenant)(uintptr_t)argument;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_USER,
		.rate = 499,
		.keep_ns = 100000,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	struct ktally_info info;
	int fd;

	become(tenant);
	/* Its own: of the same kind alone would be in another user namespace. */
	start_child(run_seen, argument);
	prctl(PR_SET_NAME, "watcher");
	row = &shared->rows[tenant];
	fd = device_open();
	if (fd < 0 || device_info(fd, &info))
		return 1;
	row->allowed = info.allowed;
	if (info.allowed & KTALLY_ALLOWED_KERNEL_FRAMES)
		setup.capture |= KTALLY_CAPTURE_KERNEL;
	if (session_adopt(&session, fd, &setup, true))
		return 2;
	session.on_record = note;
	if (device_enable(session.fd) || session_run(&session, is_slow() ? 5 : 3) || session_finish(&session))
		return 3;
	row->figures = session_figure(&session, "module_bytes") >= 0;
	fprintf(stderr, "%s", session.error);
	return session.error[0] ? 4 : 0;
}

TEST_F_TIMEOUT(tenants, what_each_sees, 600)
{
	pid_t seen[TENANTS];
	int i, j;

	for (i = 0; i < TENANTS; i++)
		seen[i] = start_child(be_seen, (void *)(uintptr_t)i);
	sleep_seconds(1);
	for (i = 0; i < TENANTS; i++) {
		const struct row *found = &shared->rows[i];
		char line[200] = "";

		EXPECT_EQ(0, wait_for_child(start_child(watch, (void *)(uintptr_t)i))) {
			TH_LOG("%s could not watch", names[i]);
		}
		for (j = 0; j < TENANTS; j++) {
			bool may = is_privileged(i) || i == j;

			snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s %ju", names[j], (uintmax_t)found->seen[j]);
			EXPECT_EQ(may, found->seen[j] > 0) {
				TH_LOG("%s sees %ju samples of %s", names[i], (uintmax_t)found->seen[j], names[j]);
			}
		}
		TH_LOG("%s (allowed %#jx) sees%s; others %ju, kernel frames %ju", names[i], (uintmax_t)found->allowed, line,
		       (uintmax_t)found->strangers, (uintmax_t)found->kernel_frames);
		EXPECT_EQ(is_privileged(i), found->allowed != 0);
		EXPECT_EQ(is_privileged(i), found->strangers > 0);
		EXPECT_EQ(is_privileged(i), found->kernel_frames > 0);
	}
	for (i = 0; i < TENANTS; i++)
		stop_child(seen[i]);
}

/* ------------------------------------------------------------------------------------------------ counting */

/* It has no process but this one, which sleeps. */
static int count_waits(void *argument)
{
	enum tenant tenant = (enum tenant)(uintptr_t)argument;
	const struct ktally_setup setup = { .sources = KTALLY_SOURCE_OFFCPU, .keep_ns = 1000000, .ring_bytes = 1 << 20 };

	become(tenant);
	if (session_open(&session, &setup, true) || device_enable(session.fd))
		return 1;
	sleep_seconds(2);
	if (session_finish(&session))
		return 2;
	shared->rows[tenant].waits = session_sum(&session, offsetof(struct ktally_ring_producer, waits));
	return 0;
}

TEST_F_TIMEOUT(tenants, what_each_counts, 600)
{
	int i;

	for (i = 0; i < TENANTS; i++) {
		EXPECT_EQ(0, wait_for_child(start_child(count_waits, (void *)(uintptr_t)i)));
		TH_LOG("%s counts %ju waits, by itself asleep, beside busy processes of root", names[i], (uintmax_t)shared->rows[i].waits);
		EXPECT_EQ(is_privileged(i), shared->rows[i].waits > 40) {
			TH_LOG("%s learns of others by what it counts, or not enough", names[i]);
		}
	}
}

/* ------------------------------------------------------------------------------------------------ slowing down */

static int flush_for_a_second(void *argument)
{
	enum tenant tenant = (enum tenant)(uintptr_t)argument;
	const struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	uint64_t end;

	become(tenant);
	if (session_open(&session, &setup, false) || device_enable(session.fd))
		return 1;
	for (end = now_ns() + 1000000000; now_ns() < end;)
		shared->rows[tenant].flushes += !device_flush(session.fd, KTALLY_FLUSH_RESEND);
	return 0;
}

/* Each FLUSH interrupts every CPU of the host. */
TEST_F_TIMEOUT(tenants, how_much_each_interrupts, 600)
{
	int i;

	for (i = 0; i < TENANTS; i++) {
		EXPECT_EQ(0, wait_for_child(start_child(flush_for_a_second, (void *)(uintptr_t)i)));
		TH_LOG("%s: %ju FLUSH in a second", names[i], (uintmax_t)shared->rows[i].flushes);
		EXPECT_GT(shared->rows[i].flushes, 0);
		if (!is_privileged(i))
			EXPECT_LE(shared->rows[i].flushes, 21);
	}
}

/* ------------------------------------------------------------------------------------------------ using up */

#define TRIES 40

static uint64_t take_sessions(int *fds, int most)
{
	uint64_t taken = 0;
	int i;

	for (i = 0; i < most; i++) {
		struct ktally_setup setup = {
			.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
			.capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES,
			.ring_bytes = 1 << 20,
			.threads = KTALLY_THREADS_DEFAULT,
		};

		fds[i] = device_open();
		if (fds[i] < 0)
			continue;
		if (device_setup(fds[i], &setup))
			close(fds[i]);
		else
			taken++;
	}
	return taken;
}

static int take_all(void *argument)
{
	enum tenant tenant = (enum tenant)(uintptr_t)argument;
	int fds[TRIES];

	become(tenant);
	shared->rows[tenant].sessions = take_sessions(fds, TRIES);
	shared->go = true;
	for (;;)
		pause();
	return 0;
}

static int take_one(void *argument)
{
	int fds[1];

	become((enum tenant)(uintptr_t)argument);
	return take_sessions(fds, 1) != 1;
}

/* Whoever takes all that it can get, each of the others still gets one session. */
TEST_F_TIMEOUT(tenants, what_each_uses_up, 600)
{
	int i, j;

	for (i = UID_A; i < TENANTS; i++) {
		char line[200] = "";
		pid_t taker;

		shared->go = false;
		taker = start_child(take_all, (void *)(uintptr_t)i);
		while (!shared->go && !kill(taker, 0))
			sleep_seconds(0.05);
		for (j = 0; j < TENANTS; j++) {
			bool refused;

			if (j == i)
				continue;
			refused = wait_for_child(start_child(take_one, (void *)(uintptr_t)j));
			EXPECT_FALSE(refused) {
				TH_LOG("%s leaves no session to %s", names[i], names[j]);
			}
			snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s %s", names[j], refused ? "none" : "one");
		}
		TH_LOG("%s has %ju sessions of a megabyte a CPU; then:%s", names[i], (uintmax_t)shared->rows[i].sessions, line);
		EXPECT_GT(shared->rows[i].sessions, 0);
		stop_child(taker);
		sleep_seconds(0.5);
	}
}

/* A descriptor that was handed over, or inherited, is worth what its opener was, to whoever has it. */
static int inherit(void *argument)
{
	enum tenant tenant = (enum tenant)(uintptr_t)argument;
	static char path[KTALLY_PATH_BYTES_MAX];
	struct ktally_info info;
	uint32_t status;

	become(tenant);
	if (device_info(session.fd, &info))
		return 1;
	shared->rows[tenant].allowed = info.allowed;
	return device_open_file(session.fd, 1, path, &status) != -EPERM;
}

TEST_F_TIMEOUT(tenants, what_an_inherited_descriptor_gives, 600)
{
	const struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	int i;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (i = PERFMON; i < TENANTS; i++) {
		/* Files of the host are opened only for who may trace, whoever opened the device. */
		EXPECT_EQ(0, wait_for_child(start_child(inherit, (void *)(uintptr_t)i))) {
			TH_LOG("%s opens files by an inherited descriptor", names[i]);
		}
		EXPECT_NE(0, shared->rows[i].allowed);
	}
	session_close(&session);
}

TEST_HARNESS_MAIN
