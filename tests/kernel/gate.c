// SPDX-License-Identifier: GPL-2.0
/*
 * Who may see what: the unprivileged see their own processes, and nothing of the kernel; it matters who opened the device, not
 * who uses the descriptor.
 */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "device.h"
#include "harness.h"
#include "nobody.h"
#include "workload.h"

#define SETUID_PROGRAM "/usr/local/lib/ktally-setuid-test"

static struct session session;

static int exit_at_once(void *argument)
{
	(void)argument;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ identities */

/**
 * struct identity - a process to be seen or not
 * @name: for messages
 * @ids: real, effective and saved user ids, then group ids
 * @undumpable: whether it may not dump core
 * @user_namespace: whether it has one of its own
 * @capabilities: that it has, bits by number
 * @seen: whether nobody may see it
 */
struct identity {
	const char *name;
	uid_t ids[6];
	uint64_t capabilities;
	bool undumpable;
	bool user_namespace;
	bool seen;
};

#define ALL_NOBODY { NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY }

static const struct identity identities[] = {
	{ "own", ALL_NOBODY, .seen = true },
	{ "root's", {} },
	{ "own but may not dump core", ALL_NOBODY, .undumpable = true },
	{ "own in another user namespace", ALL_NOBODY, .user_namespace = true },
	{ "own but may do more", ALL_NOBODY, .capabilities = 1ULL << CAP_NET_ADMIN },
	{ "with root as its real user", { 0, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY } },
	{ "with root as its effective user", { NOBODY, 0, NOBODY, NOBODY, NOBODY, NOBODY } },
	{ "with root as its saved user", { NOBODY, NOBODY, 0, NOBODY, NOBODY, NOBODY } },
	{ "with root as its real group", { NOBODY, NOBODY, NOBODY, 0, NOBODY, NOBODY } },
	{ "with root as its effective group", { NOBODY, NOBODY, NOBODY, NOBODY, 0, NOBODY } },
	{ "with root as its saved group", { NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, 0 } },
};

static int run_identity(void *argument)
{
	const struct identity *identity = argument;

	prctl(PR_SET_KEEPCAPS, 1);
	if (setgroups(0, NULL) || setresgid(identity->ids[3], identity->ids[4], identity->ids[5]) ||
	    setresuid(identity->ids[0], identity->ids[1], identity->ids[2]))
		return 1;
	if (identity->ids[0] || identity->ids[1] || identity->ids[2])
		set_capabilities(identity->capabilities);
	prctl(PR_SET_DUMPABLE, 1);
	if (identity->user_namespace && unshare(CLONE_NEWUSER))
		return 2;
	prctl(PR_SET_DUMPABLE, !identity->undumpable);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		spin(1000000);
}

static const struct ktally_setup users = {
	.sources = KTALLY_SOURCE_ONCPU,
	.capture = KTALLY_CAPTURE_USER,
	.rate = 997,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	.ring_bytes = 1 << 20,
};

static uint32_t seen_pids[100];
static unsigned int seen_count;

static void note_pid(struct session *from, const struct ktally_record *record)
{
	const struct ktally_task *task = (const void *)record;

	(void)from;
	if (record->type == KTALLY_RECORD_TASK && seen_count < ARRAY_SIZE(seen_pids))
		seen_pids[seen_count++] = task->pid;
	if (record->type == KTALLY_RECORD_EXIT && seen_count < ARRAY_SIZE(seen_pids))
		seen_pids[seen_count++] = ((const struct ktally_exit *)record)->pid;
}

static bool was_seen(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < seen_count; i++)
		if (seen_pids[i] == (uint32_t)pid)
			return true;
	return false;
}

TEST(nobody_sees_only_his_own)
{
	pid_t pids[ARRAY_SIZE(identities)];
	struct ktally_setup setup = users;
	struct ktally_info info;
	size_t i;
	int fd;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	for (i = 0; i < ARRAY_SIZE(identities); i++)
		pids[i] = start_child(run_identity, (void *)(uintptr_t)&identities[i]);
	become_nobody(0);

	fd = device_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, device_info(fd, &info));
	EXPECT_EQ(0, info.allowed);
	EXPECT_EQ(1 << 20, info.ring_bytes_max);
	setup.capture |= KTALLY_CAPTURE_KERNEL;
	EXPECT_EQ(-EPERM, device_setup(fd, &setup));
	setup = users;
	setup.ring_bytes = 2 << 20;
	EXPECT_EQ(-EINVAL, device_setup(fd, &setup));

	ASSERT_EQ(0, session_adopt(&session, fd, &users, true));
	session.on_record = note_pid;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, is_slow() ? 6 : 4));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);
	for (i = 0; i < ARRAY_SIZE(identities); i++) {
		EXPECT_EQ(identities[i].seen, was_seen(pids[i]))
			TH_LOG("it is the process %s", identities[i].name);
		/* That it runs is what makes not seeing it mean something. */
		EXPECT_LT(10000000, cpu_time(pids[i]))
			TH_LOG("it is the process %s", identities[i].name);
	}
	for (i = 0; i < seen_count; i++)
		EXPECT_TRUE(seen_pids[i] == (uint32_t)pids[0] || seen_pids[i] == (uint32_t)getpid());
	session_close(&session);
}

/*
 * Samples of the setuid program's own code. In the kernel it may be seen for a moment under its new name: exec renames a process
 * before it gives it other ids, and until then it is one's own.
 */
static unsigned int setuid_samples;

static void note_setuid(struct session *from, const struct ktally_record *record)
{
	const struct ktally_task *task;

	if (record->type != KTALLY_RECORD_SAMPLE || record->flags & KTALLY_SAMPLE_KERNEL)
		return;
	task = session_task(from, ((const struct ktally_sample *)record)->task_id);
	setuid_samples += task && !strcmp((const char *)task->comm, "ktally-setuid-t");
}

/* A program that gains rights by exec: the ids are in the file, not in who starts it. */
TEST(a_setuid_program_is_not_seen)
{
	struct ktally_setup setup = users;
	char command[256];
	pid_t child;

	snprintf(command, sizeof(command), "cp /usr/bin/perl %s && chmod 4755 %s", SETUID_PROGRAM, SETUID_PROGRAM);
	if (access("/usr/bin/perl", X_OK) || system(command))
		SKIP(return, "no perl to make setuid");
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_setuid;
	ASSERT_EQ(0, device_enable(session.fd));
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(SETUID_PROGRAM, "perl", "-e", "$> == 0 or exit 3; $end = time + 3; 1 while time < $end", NULL);
		_exit(127);
	}
	ASSERT_EQ(0, wait_for_child(child));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_EQ(0, setuid_samples);
	for (size_t i = 0; i < session.tasks.size; i++) {
		const struct ktally_task *task = session.tasks.slots[i].record;

		EXPECT_FALSE(task && task->task_flags & KTALLY_TASK_EXEC);
	}
	session_close(&session);
}

static uint64_t counted(size_t offset)
{
	if (device_flush(session.fd, 0))
		return UINT64_MAX;
	return session_sum(&session, offset);
}

static int fork_often(void *argument)
{
	const int *go = argument;
	int left = 300;
	char byte;

	if (read(go[0], &byte, 1) != 1)
		return 1;
	while (left--)
		if (wait_for_child(start_child(exit_at_once, NULL)))
			return 2;
	return 0;
}

/* Waits of others are not even counted: neither how many there are, nor how long. */
TEST(nothing_is_counted_of_others)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU, .keep_ns = KTALLY_KEEP_NS_MAX, .wait_min_ns = KTALLY_KEEP_NS_MAX, .threads = 1024,
	};
	const size_t waits = offsetof(struct ktally_ring_producer, waits),
		     weight = offsetof(struct ktally_ring_producer, waits_short.weight);
	uint64_t before, after, before_weight, after_weight, mine;
	int go[2];
	pid_t child;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	ASSERT_EQ(0, pipe(go));
	child = start_child(fork_often, go);
	become_nobody(0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	mine = now_ns();
	before = counted(waits);
	before_weight = counted(weight);
	ASSERT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(0, wait_for_child(child));
	after = counted(waits);
	after_weight = counted(weight);
	mine = now_ns() - mine;
	TH_LOG("%ju waits and %ju ns more, of %ju ns", (uintmax_t)(after - before), (uintmax_t)(after_weight - before_weight),
	       (uintmax_t)mine);
	/* Only this process is the opener's: it waits for the other to end, and for its own flushes. */
	EXPECT_LT(after - before, 100);
	EXPECT_LE(after_weight - before_weight, mine + 100000000);

	/* One's own are counted. */
	before = counted(waits);
	for (int i = 0; i < 50; i++)
		EXPECT_EQ(0, wait_for_child(start_child(exit_at_once, NULL)));
	EXPECT_GE(counted(waits) - before, 100);
	session_close(&session);
}

static int look_out_of_container(void *argument)
{
	become_nobody(0);
	if (session_open(&session, &users, true))
		return 1;
	session.on_record = note_pid;
	if (device_enable(session.fd))
		return 2;
	for (int i = 0; i < 300; i++)
		spin(1000000);
	if (session_run(&session, is_slow() ? 4 : 2) || session_finish(&session) || session.error[0])
		return 3;
	return !seen_count ? 4 : was_seen(*(pid_t *)argument) ? 5 : 0;
}

/* Containers that share a user namespace have the same user, and cannot name each other's processes. */
TEST(who_cannot_be_named_is_not_seen)
{
	pid_t outside;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	outside = start_child(run_identity, (void *)(uintptr_t)&identities[0]);
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	EXPECT_EQ(0, wait_for_child(start_child(look_out_of_container, &outside)));
	EXPECT_LT(10000000, cpu_time(outside));
	stop_child(outside);
}

/**
 * struct sleeper - a process of two threads, one of which waits in a system call
 * @wake: ends its wait
 * @hide: the other thread makes the process undumpable
 * @hidden: it has
 * @tid: of the one that waits
 */
struct sleeper {
	int wake[2], hide[2], hidden[2];
	pid_t tid;
};

static struct sleeper *sleeper;

static void *sleep_in_read(void *argument)
{
	char byte;

	(void)argument;
	__atomic_store_n(&sleeper->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;)
		if (read(sleeper->wake[0], &byte, 1) != 1)
			return NULL;
}

static int run_sleeper(void *argument)
{
	pthread_t thread;
	char byte;

	(void)argument;
	become_nobody(0);
	if (pthread_create(&thread, NULL, sleep_in_read, NULL) || read(sleeper->hide[0], &byte, 1) != 1 ||
	    prctl(PR_SET_DUMPABLE, 0) || write(sleeper->hidden[1], "", 1) != 1)
		return 1;
	pause();
	return 0;
}

/* Of the sleeper's waits in read(): open ones, and those that have ended, and how many of them say where. */
static unsigned int waits_open, waits_ended, waits_shown;

static void note_sleeper(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;

	if (record->type != KTALLY_RECORD_OFFCPU || wait->state != KTALLY_OFFCPU_SLEEP ||
	    session_task(from, wait->task_id)->tid != (uint32_t)sleeper->tid)
		return;
	if (record->flags & KTALLY_OFFCPU_PARTIAL)
		waits_open++;
	else
		waits_ended++;
	waits_shown += wait->syscall != KTALLY_SYSCALL_NONE || session_stack(from, wait->stack_id)->user_frames;
}

static void look_at_sleeper(struct __test_metadata *_metadata, unsigned int open, unsigned int ended)
{
	waits_open = waits_ended = waits_shown = 0;
	sleep_seconds(0.3);
	ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	ASSERT_LE(0, session_drain(&session));
	EXPECT_EQ(open, waits_open);
	EXPECT_EQ(ended, waits_ended);
}

/* A process that becomes undumpable while one of its threads waits: where that waits is nobody's business from then on. */
TEST(what_became_undumpable_in_a_wait_is_not_looked_into)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU, .capture = KTALLY_CAPTURE_USER, .keep_ns = 100000000, .threads = 1024,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	pid_t child;
	char byte;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	sleeper = mmap(NULL, sizeof(*sleeper), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, sleeper);
	ASSERT_EQ(0, pipe(sleeper->wake) | pipe(sleeper->hide) | pipe(sleeper->hidden));
	child = start_child(run_sleeper, NULL);
	become_nobody(0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_sleeper;
	ASSERT_EQ(0, device_enable(session.fd));
	while (!__atomic_load_n(&sleeper->tid, __ATOMIC_ACQUIRE))
		sleep_seconds(0.01);

	/* Whoever waits already at ENABLE is not seen by the unprivileged: so it is made to wait once more. */
	sleep_seconds(0.3);
	ASSERT_EQ(1, write(sleeper->wake[1], "", 1));
	sleep_seconds(0.3);
	ASSERT_LE(0, session_drain(&session));
	ASSERT_EQ(1, write(sleeper->wake[1], "", 1));
	look_at_sleeper(_metadata, 1, 1);
	EXPECT_EQ(2, waits_shown);

	ASSERT_EQ(1, write(sleeper->hide[1], "", 1));
	ASSERT_EQ(1, read(sleeper->hidden[0], &byte, 1));
	look_at_sleeper(_metadata, 1, 0);
	EXPECT_EQ(0, waits_shown);
	ASSERT_EQ(1, write(sleeper->wake[1], "", 1));
	/* The next wait of it is not followed at all. */
	look_at_sleeper(_metadata, 0, 1);
	EXPECT_EQ(0, waits_shown);
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

/* ------------------------------------------------------------------------------------------------ rights */

static int allowed_when_opened(uint64_t *allowed)
{
	struct ktally_info info;
	int error, fd = device_open();

	if (fd < 0)
		return fd;
	error = device_info(fd, &info);
	*allowed = info.allowed;
	close(fd);
	return error;
}

TEST(the_device_is_for_root_by_default)
{
	struct stat status;

	ASSERT_EQ(0, stat(KTALLY_DEVICE_PATH, &status));
	TH_LOG("mode %o", status.st_mode);
	/* The test before made it 0666; a module that was just loaded has it 0660 or stricter, see module.sh. */
	EXPECT_TRUE(S_ISCHR(status.st_mode));
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0600));
	become_nobody(0);
	EXPECT_EQ(-EACCES, device_open());
}

TEST(cap_perfmon_alone_suffices)
{
	struct ktally_setup setup = users;
	uint64_t allowed;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(1ULL << CAP_PERFMON);
	ASSERT_EQ(0, allowed_when_opened(&allowed));
	EXPECT_EQ(KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES, allowed);
	setup.capture |= KTALLY_CAPTURE_KERNEL;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	session_close(&session);
}

TEST(cap_sys_admin_suffices)
{
	uint64_t allowed;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(1ULL << CAP_SYS_ADMIN);
	ASSERT_EQ(0, allowed_when_opened(&allowed));
	EXPECT_EQ(KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES, allowed);
}

TEST(all_other_capabilities_do_not)
{
	uint64_t allowed, known = (1ULL << (read_number("/proc/sys/kernel/cap_last_cap") + 1)) - 1;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(known & ~(1ULL << CAP_PERFMON | 1ULL << CAP_SYS_ADMIN));
	ASSERT_EQ(0, allowed_when_opened(&allowed));
	EXPECT_EQ(0, allowed);
}

/* In a user namespace of one's own one has all capabilities, and they mean nothing to the host. */
TEST(capabilities_of_a_user_namespace_do_not)
{
	struct ktally_setup setup = users;
	uint64_t allowed;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	become_nobody(0);
	if (unshare(CLONE_NEWUSER))
		SKIP(return, "no user namespaces here");
	ASSERT_EQ(0, allowed_when_opened(&allowed));
	EXPECT_EQ(0, allowed);
	setup.capture |= KTALLY_CAPTURE_KERNEL;
	EXPECT_EQ(-EPERM, session_open(&session, &setup, true));
}

/* ------------------------------------------------------------------------------------------------ descriptors */

static int use_as_nobody(void *argument)
{
	struct ktally_setup setup = users;
	struct ktally_info info;
	int fd = *(int *)argument;

	setup.capture |= KTALLY_CAPTURE_KERNEL;
	become_nobody(0);
	if (device_info(fd, &info) || info.allowed != (KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES))
		return 1;
	if (session_adopt(&session, fd, &setup, true) || device_enable(fd) || session_run(&session, 1))
		return 2;
	return session.error[0] || !session_total(&session).samples ? 3 : 0;
}

TEST(a_descriptor_keeps_the_rights_of_root)
{
	pid_t spinner = start_spinner(-1);
	int fd = device_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, wait_for_child(start_child(use_as_nobody, &fd)));
	stop_child(spinner);
}

static int open_and_send(void *argument)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd;

	become_nobody(0);
	fd = device_open();
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return fd < 0 || sendmsg(*(int *)argument, &message, 0) != 1;
}

TEST(a_descriptor_keeps_the_lack_of_rights)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct ktally_setup setup = users;
	pid_t spinner = start_spinner(-1);
	struct ktally_info info;
	int sockets[2], fd;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, wait_for_child(start_child(open_and_send, &sockets[1])));
	ASSERT_EQ(1, recvmsg(sockets[0], &message, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));

	ASSERT_EQ(0, device_info(fd, &info));
	EXPECT_EQ(0, info.allowed);
	setup.capture |= KTALLY_CAPTURE_KERNEL;
	EXPECT_EQ(-EPERM, device_setup(fd, &setup));
	ASSERT_EQ(0, session_adopt(&session, fd, &users, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	EXPECT_EQ(0, session_total(&session).samples);
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(spinner);
}

TEST_HARNESS_MAIN
