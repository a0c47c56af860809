// SPDX-License-Identifier: GPL-2.0
/*
 * How much a user may take: of the places for sessions, of their memory, and of everybody's time by calls that interrupt all CPUs.
 */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "workload.h"

#define MEMORY_LIMIT "/sys/module/ktally/parameters/memory_limit_mb"

static const struct ktally_setup small = {
	.sources = KTALLY_SOURCE_ONCPU,
	.capture = KTALLY_CAPTURE_USER,
	.ring_bytes = KTALLY_RING_BYTES_MIN,
};

/* ------------------------------------------------------------------------------------------------ users */

/**
 * struct user - a process that tries to set up sessions, and keeps those that it got until it is told to end
 * @id: of the user, and its group
 * @owner: whose user namespace it is in where it is @id; 0: of the initial one, or of root's if it is @inside that
 * @inside: its id there
 * @with_root: root is root there, too
 * @tries: how many
 * @ring_bytes: of each
 * @got: out: how many it got
 * @error: out: what it was told when it got no more
 * @done: it says here that these can be read
 * @end: it is told here
 */
struct user {
	uid_t id;
	uid_t owner;
	uid_t inside;
	bool with_root;
	int tries;
	uint32_t ring_bytes;
	int got;
	int error;
	int done[2];
	int end[2];
};

static void change_to(uid_t id)
{
	if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
		_exit(101);
	prctl(PR_SET_DUMPABLE, 1);
}

/* Made by @owner, with ids of others as newuidmap gives them to him; or by root. */
static int enter_namespace(struct user *user)
{
	char path[64], map[64];
	int ready[2], mapped[2];
	pid_t mapper, mine = getpid();
	char byte = 0;

	if (pipe(ready) || pipe(mapped))
		return -1;
	mapper = fork();
	if (!mapper) {
		if (read(ready[0], &byte, 1) != 1)
			_exit(1);
		snprintf(map, sizeof(map), "%s%u %u 1", user->with_root ? "0 0 1\n" : "", user->inside, user->id);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)mine);
		if (write_file(path, map))
			_exit(2);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)mine);
		if (write_file(path, map))
			_exit(3);
		_exit(write(mapped[1], &byte, 1) != 1);
	}
	if (user->owner)
		change_to(user->owner);
	if (unshare(CLONE_NEWUSER) || write(ready[1], &byte, 1) != 1 || wait_for_child(mapper))
		return -1;
	return setresgid(user->inside, user->inside, user->inside) || setresuid(user->inside, user->inside, user->inside) ? -1 : 0;
}

static int run_user(void *argument)
{
	struct user *user = argument;
	char byte = 0;
	int fd;

	if (user->owner || user->inside) {
		if (enter_namespace(user))
			return 100;
	} else {
		change_to(user->id);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (user->tries--) {
		struct ktally_setup setup = small;

		setup.ring_bytes = user->ring_bytes ?: setup.ring_bytes;
		fd = device_open();
		user->error = fd < 0 ? fd : device_setup(fd, &setup);
		if (user->error)
			break;
		user->got++;
	}
	if (write(user->done[1], &user->got, sizeof(int)) != sizeof(int) ||
	    write(user->done[1], &user->error, sizeof(int)) != sizeof(int))
		return 99;
	return read(user->end[0], &byte, 1) != 1;
}

/* Returns the process; it has tried. */
static pid_t start_user(struct user *user)
{
	pid_t child;

	if (pipe(user->done) || pipe(user->end))
		return -1;
	child = start_child(run_user, user);
	close(user->done[1]);
	if (read(user->done[0], &user->got, sizeof(int)) != sizeof(int) ||
	    read(user->done[0], &user->error, sizeof(int)) != sizeof(int)) {
		user->got = -1;
		user->error = -wait_for_child(child);
	}
	return child;
}

#define START(name, expected_got, expected_error, ...)						\
	struct user name = { __VA_ARGS__ };							\
	pid_t name##_process = start_user(&name);						\
	EXPECT_EQ(expected_got, name.got);							\
	EXPECT_EQ(expected_error, name.error)

/* ------------------------------------------------------------------------------------------------ places */

TEST(no_user_has_more_than_half_of_the_places)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	START(first, 2, -EBUSY, .id = NOBODY, .tries = 3);
	START(second, 2, -EBUSY, .id = 1, .tries = 3);
	START(third, 0, -EBUSY, .id = 2, .tries = 1);
	stop_child(third_process);
	stop_child(first_process);
	START(fourth, 2, -EBUSY, .id = 2, .tries = 3);
	stop_child(second_process);
	stop_child(fourth_process);
	/* All that they had is given back. */
	START(fifth, 2, 0, .id = NOBODY, .tries = 2);
	START(sixth, 2, 0, .id = 1, .tries = 2);
	stop_child(fifth_process);
	stop_child(sixth_process);
}

/* With a range of ids of his own, a user is still one. */
TEST(a_user_with_many_ids)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	START(first, 2, 0, .id = 100000, .owner = NOBODY, .tries = 2);
	if (first.got < 0)
		SKIP(return, "no user namespaces here");
	START(second, 0, -EBUSY, .id = 100001, .owner = NOBODY, .tries = 1);
	START(himself, 0, -EBUSY, .id = NOBODY, .tries = 1);
	START(other, 2, 0, .id = 1, .tries = 2);
	stop_child(first_process);
	stop_child(second_process);
	stop_child(himself_process);
	stop_child(other_process);
}

/* Whom root put into a namespace in which he is not root, and which may know root besides. */
static void confined(struct __test_metadata *_metadata, bool with_root)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	START(first, 2, -EBUSY, .id = 2001, .inside = with_root ? 2001 : 1000, .with_root = with_root, .tries = 3);
	if (first.got < 0)
		SKIP(return, "no user namespaces here");
	START(second, 2, -EBUSY, .id = 2002, .inside = with_root ? 2002 : 1000, .with_root = with_root, .tries = 3);
	stop_child(first_process);
	stop_child(second_process);
}

TEST(users_in_containers_without_root)
{
	confined(_metadata, false);
}

TEST(users_in_containers_with_the_hosts_root)
{
	confined(_metadata, true);
}

TEST(the_last_place_is_for_those_with_the_capability)
{
	struct ktally_setup setup = small;
	int fds[17], i;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	for (i = 0; i < 15; i++) {
		fds[i] = device_open();
		ASSERT_EQ(0, device_setup(fds[i], &setup));
	}
	START(nobody, 0, -EBUSY, .id = NOBODY, .tries = 1);
	stop_child(nobody_process);
	fds[15] = device_open();
	EXPECT_EQ(0, device_setup(fds[15], &setup));
	fds[16] = device_open();
	EXPECT_EQ(-EBUSY, device_setup(fds[16], &setup));
	close(fds[0]);
	close(fds[1]);
	START(later, 1, -EBUSY, .id = NOBODY, .tries = 2);
	stop_child(later_process);
	for (i = 2; i < 17; i++)
		close(fds[i]);
}

/* ------------------------------------------------------------------------------------------------ memory */

/*
 * Of 16 MiB the unprivileged have eight and one of them four; a session with a megabyte for each of two CPUs takes a bit more than two,
 * so each user gets one, and there is room for three.
 */
TEST(no_user_has_more_than_half_of_the_memory)
{
	struct ktally_setup setup = small;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		SKIP(return, "the figures are for two CPUs");
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	ASSERT_EQ(0, write_file(MEMORY_LIMIT, "16"));
	START(first, 1, -ENOMEM, .id = NOBODY, .tries = 2, .ring_bytes = 1 << 20);
	START(second, 1, -ENOMEM, .id = 1, .tries = 2, .ring_bytes = 1 << 20);
	START(third, 1, 0, .id = 2, .tries = 1, .ring_bytes = 1 << 20);
	START(fourth, 0, -ENOMEM, .id = 3, .tries = 1, .ring_bytes = 1 << 20);
	/* As much as all of them have is left to the others. */
	fd = device_open();
	setup.ring_bytes = 2 << 20;
	EXPECT_EQ(0, device_setup(fd, &setup));
	close(fd);
	stop_child(first_process);
	/* What was refused has given back what it had taken. */
	START(fifth, 1, 0, .id = 3, .tries = 1, .ring_bytes = 1 << 20);
	stop_child(second_process);
	stop_child(third_process);
	stop_child(fourth_process);
	stop_child(fifth_process);
	EXPECT_EQ(0, write_file(MEMORY_LIMIT, "256"));
}

/* ------------------------------------------------------------------------------------------------ interrupts */

#define FLUSHES 3000

/* However often it is asked for, and by whomever. */
static void storm(struct __test_metadata *_metadata)
{
	struct ktally_setup setup = small;
	int fd = device_open(), other = device_open(), done = 0, refused = 0, i;
	uint64_t begin;
	double seconds;

	ASSERT_EQ(0, device_setup(fd, &setup));
	ASSERT_EQ(0, device_setup(other, &setup));
	ASSERT_EQ(0, device_enable(fd));
	begin = now_ns();
	for (i = 0; i < FLUSHES; i++) {
		int error = device_try_flush(fd, KTALLY_FLUSH_RESEND);

		done += !error;
		refused += error == -EAGAIN;
	}
	seconds = (double)(now_ns() - begin) / 1e9;
	TH_LOG("%d of %d flushes in %.3f s", done, FLUSHES, seconds);
	EXPECT_EQ(FLUSHES, done + refused);
	EXPECT_LE(KTALLY_CALLS_PER_SECOND, done);
	EXPECT_GE(KTALLY_CALLS_PER_SECOND * (1 + seconds), done);
	/* Each session has its own. */
	EXPECT_EQ(0, device_try_flush(other, 0));
	sleep_seconds(1.1);
	EXPECT_EQ(0, device_try_flush(fd, 0));
	close(other);
	close(fd);
}

TEST(flushes_of_root)
{
	storm(_metadata);
}

TEST(flushes_of_nobody)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	storm(_metadata);
}

#define SLEEPERS 256

static void *sleep_for_good(void *argument)
{
	while (pause())
		continue;
	return argument;
}

static int run_sleepers(void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	char byte;
	int i;

	become_nobody(0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	if (read(*(int *)argument, &byte, 1) != 1)
		return 1;
	for (i = 0; i < SLEEPERS; i++)
		if (pthread_create(&thread, &attributes, sleep_for_good, NULL))
			return 2;
	sleep_for_good(NULL);
	return 0;
}

/* As soon as it may be: when it began, and what it took. */
static int flush_when_rested(int fd, uint64_t *began, uint64_t *took)
{
	uint64_t first = now_ns();
	int error;

	do {
		sleep_seconds(0.0001);
		*began = now_ns();
		error = device_try_flush(fd, KTALLY_FLUSH_RESEND);
		*took = now_ns() - *began;
	} while (error == -EAGAIN && now_ns() - first < 60000000000);
	return error;
}

#define ROUNDS 5

/* Open waits are told by a worker, in nobody's cgroup: after that it rests, in all sessions of the user. */
TEST(a_worker_rests)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU, .capture = KTALLY_CAPTURE_USER, .threads = 4 * SLEEPERS,
		.ring_bytes = 1 << 20, .budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	static struct session session;
	uint64_t began, took, last = 0, rested = 0;
	int go[2], other, round;
	pid_t child;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	ASSERT_EQ(0, pipe(go));
	child = start_child(run_sleepers, &go[0]);
	become_nobody(0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	other = device_open();
	ASSERT_EQ(0, device_setup(other, &setup));
	ASSERT_EQ(0, device_enable(other));
	ASSERT_EQ(1, write(go[1], "", 1));
	sleep_seconds(is_slow() ? 5 : 1);
	ASSERT_LE(0, session_drain(&session));

	ASSERT_EQ(0, flush_when_rested(session.fd, &began, &took));
	EXPECT_EQ(-EAGAIN, device_try_flush(other, 0));
	/* A CPU that answers late makes it take longer, not rest longer. */
	for (round = 0; round < ROUNDS && rested <= last; round++) {
		uint64_t ended = began + took;

		last = took;
		ASSERT_EQ(0, flush_when_rested(session.fd, &began, &took));
		rested = began - ended;
	}
	ASSERT_LE(0, session_drain(&session));
	TH_LOG("%ju waits told in %.3f ms, then %.3f ms of rest", (uintmax_t)session_total(&session).open_waits,
	       (double)last / 1e6, (double)rested / 1e6);
	EXPECT_LT(SLEEPERS, session_total(&session).open_waits);
	/* Most of what it took is the call's own, and that of CPUs that answer. */
	EXPECT_LT(last, rested);

	/* Where there is nothing to tell nobody waits. */
	ASSERT_EQ(0, device_disable(session.fd));
	EXPECT_EQ(0, device_try_flush(session.fd, 0));
	close(other);
	session_close(&session);
	stop_child(child);
}

/* The same for whom a session of root's was handed to, which tells more waits than his own would; but not for root. */
TEST(a_worker_rests_for_who_was_handed_a_session)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU, .capture = KTALLY_CAPTURE_USER, .threads = 4 * SLEEPERS, .ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	int go[2], fd = device_open();
	pid_t child;

	ASSERT_EQ(0, pipe(go));
	child = start_child(run_sleepers, &go[0]);
	ASSERT_EQ(1, write(go[1], "", 1));
	sleep_seconds(is_slow() ? 5 : 1);
	ASSERT_EQ(0, device_setup(fd, &setup));
	ASSERT_EQ(0, device_enable(fd));
	EXPECT_EQ(0, device_try_flush(fd, KTALLY_FLUSH_RESEND));
	EXPECT_EQ(0, device_try_flush(fd, KTALLY_FLUSH_RESEND));
	become_nobody(0);
	EXPECT_EQ(0, device_try_flush(fd, KTALLY_FLUSH_RESEND));
	EXPECT_EQ(-EAGAIN, device_try_flush(fd, KTALLY_FLUSH_RESEND));
	close(fd);
	stop_child(child);
}

/* What else interrupts all CPUs: only those are stopped whom nobody trusts with the host. */
TEST(rates_and_enables)
{
	struct ktally_setup setup = small;
	int fd = device_open(), done = 0, i;
	uint64_t begin;

	ASSERT_EQ(0, device_setup(fd, &setup));
	for (i = 0; i < 50; i++)
		EXPECT_EQ(0, device_set_rate(fd, 50 + i));

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	/* Also in a session that root has handed over, where he may make nothing denser. */
	begin = now_ns();
	for (i = 0; i < 500; i++)
		done += !device_set_rate(fd, 50);
	EXPECT_LE(KTALLY_CALLS_PER_SECOND, done);
	EXPECT_GE(KTALLY_CALLS_PER_SECOND * (1 + (double)(now_ns() - begin) / 1e9), done);
	close(fd);
	sleep_seconds(1.1);
	done = 0;
	fd = device_open();
	ASSERT_EQ(0, device_setup(fd, &setup));
	begin = now_ns();
	for (i = 0; i < 500; i++) {
		int error = device_set_rate(fd, 50 + i);

		ASSERT_TRUE(!error || error == -EAGAIN);
		done += !error;
		error = device_enable(fd);
		ASSERT_TRUE(!error || error == -EAGAIN);
		done += !error;
		/* That it ends is never refused. */
		ASSERT_EQ(0, device_disable(fd));
	}
	EXPECT_LE(KTALLY_CALLS_PER_SECOND, done);
	EXPECT_GE(KTALLY_CALLS_PER_SECOND * (1 + (double)(now_ns() - begin) / 1e9), done);
	close(fd);
}

struct turns {
	int setups;
	int enables;
};

/* A session after the other, for two seconds. */
static struct turns set_up_again_and_again(struct __test_metadata *_metadata)
{
	uint64_t begin = now_ns();
	struct turns turns = {};
	int error;

	while (now_ns() - begin < 2000000000) {
		struct ktally_setup setup = small;
		int fd = device_open();

		ASSERT_LE(0, fd);
		error = device_try_setup(fd, &setup);
		ASSERT_TRUE(!error || error == -EAGAIN);
		turns.setups += !error;
		if (!error) {
			error = device_enable(fd);
			ASSERT_TRUE(!error || error == -EAGAIN);
			turns.enables += !error;
		}
		close(fd);
	}
	TH_LOG("%d set up, %d enabled", turns.setups, turns.enables);
	return turns;
}

/* In a descriptor that root has handed over, which can be set up once, but in vain again and again. */
TEST(set_ups_that_fail)
{
	int32_t nobody_there = 0x3fffff;
	int fd = device_open(), done = 0, error;
	uint64_t begin;

	ASSERT_LE(0, fd);
	become_nobody(0);
	sleep_seconds(1.1);
	begin = now_ns();
	for (int i = 0; i < 500; i++) {
		struct ktally_setup setup = small;

		setup.pids = (uint64_t)&nobody_there;
		setup.pid_count = 1;
		error = device_try_setup(fd, &setup);
		ASSERT_TRUE(error == -ESRCH || error == -EAGAIN);
		done += error == -ESRCH;
	}
	EXPECT_LE(KTALLY_CALLS_PER_SECOND, done);
	EXPECT_GE(KTALLY_CALLS_PER_SECOND * (1 + (double)(now_ns() - begin) / 1e9), done);
	close(fd);
}

TEST(rates_of_the_unprivileged)
{
	struct ktally_setup setup = small;
	struct ktally_info info;
	int fd;

	setup.rate = KTALLY_RATE_MAX;
	fd = device_open();
	EXPECT_EQ(0, device_info(fd, &info));
	EXPECT_EQ(KTALLY_RATE_MAX, info.rate_max);
	EXPECT_EQ(0, device_setup(fd, &setup));
	close(fd);

	/* What the tests before this one did as the same user counts for a second. */
	sleep_seconds(1.1);
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	fd = device_open();
	EXPECT_EQ(0, device_info(fd, &info));
	EXPECT_EQ(KTALLY_RATE_MAX_UNPRIVILEGED, info.rate_max);
	setup.rate = KTALLY_RATE_MAX_UNPRIVILEGED + 1;
	EXPECT_EQ(-EINVAL, device_try_setup(fd, &setup));
	setup.rate = KTALLY_RATE_MAX_UNPRIVILEGED;
	EXPECT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(-EINVAL, device_set_rate(fd, KTALLY_RATE_MAX_UNPRIVILEGED + 1));
	EXPECT_EQ(0, device_set_rate(fd, KTALLY_RATE_MAX_UNPRIVILEGED));
	close(fd);
}

/* Closing and beginning anew is no way around. */
TEST(one_session_after_the_other)
{
	struct ktally_setup setup = small;
	struct turns turns;
	pid_t other;
	int status;

	turns = set_up_again_and_again(_metadata);
	EXPECT_LT(0, turns.setups);
	EXPECT_EQ(turns.setups, turns.enables);

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	other = fork();
	if (!other) {
		change_to(77);
		turns = set_up_again_and_again(_metadata);
		_exit(turns.setups < KTALLY_CALLS_PER_SECOND || turns.setups > 3 * KTALLY_CALLS_PER_SECOND + 1 ||
		      turns.enables < KTALLY_CALLS_PER_SECOND || turns.enables > 3 * KTALLY_CALLS_PER_SECOND + 1);
	}
	ASSERT_EQ(other, waitpid(other, &status, 0));
	EXPECT_EQ(0, status);
	/* Of another user it is another matter. */
	become_nobody(0);
	other = device_open();
	EXPECT_EQ(0, device_try_setup(other, &setup));
	EXPECT_EQ(0, device_enable(other));
	close(other);
}

TEST_HARNESS_MAIN
