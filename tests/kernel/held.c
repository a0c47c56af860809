// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of a process whose file the module holds: nothing that others have to wait for. Its file can be executed, its locks
 * and leases can be had, its mount goes within a second; until then its file can be opened, deleted or not.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "workload.h"

#define DIRECTORY "/tmp/ktally-held"
#define BESIDE "/tmp/ktally-held-beside"
#define PROGRAM DIRECTORY "/program"

/* A file is let go of within 10 ms; what is above that is for machines that are emulated, and for the kernel's own fput(). */
#define AT_ONCE (is_slow() ? 1.0 : 0.5)

/* All of it is over within a second; again, where time passes as it does. */
#define A_SECOND (is_slow() ? 2.0 : is_emulated() ? 1.5 : 1.0)

static struct session session;
static uint64_t in_spin;
static uint32_t spin_file;
static uint64_t spin_begin, spin_end;

static void note_spin(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	uint32_t file;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	file = leaf_file(session_stack(from, sample->stack_id), spin_begin, spin_end);
	if (!file)
		return;
	spin_file = file;
	in_spin++;
}

/* Until the child, or with 0 any process, was seen where it spins. */
static void see(struct __test_metadata *_metadata, pid_t child, uint64_t begin, uint64_t end)
{
	struct ktally_setup setup = files_setup(child ? &child : NULL, child ? 1 : 0);

	spin_begin = begin;
	spin_end = end;
	spin_file = 0;
	in_spin = 0;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_spin;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run_until(&session, &in_spin, 1));
}

static void end_session(struct __test_metadata *_metadata)
{
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ files that are written */

enum leaving { A_WRITER, A_FLOCK, AN_OFD_LOCK, A_LEASE };

/* Has the file open for writing, and more that hangs on its being open; and is nowhere but in it. */
static int run_in_file(void *argument)
{
	enum leaving leaving = *(enum leaving *)argument;
	int fd = open(PROGRAM, (leaving == A_LEASE ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK };
	void *page;

	if (fd < 0 || (leaving == A_FLOCK && flock(fd, LOCK_EX)) || (leaving == AN_OFD_LOCK && fcntl(fd, F_OFD_SETLK, &lock)) ||
	    (leaving == A_LEASE && fcntl(fd, F_SETLEASE, F_WRLCK)))
		return 1;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (page == MAP_FAILED)
		return 2;
	memcpy(page, "\xeb\xfe", 2);		/* jmp . */
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
		return 3;
	((void (*)(void))(uintptr_t)page)();
	return 4;
}

static bool is_busy(enum leaving leaving)
{
	struct flock lock = { .l_type = F_WRLCK };
	bool busy;
	pid_t child;
	int fd;

	if (leaving == A_WRITER) {
		child = fork();
		if (!child) {
			execl(PROGRAM, PROGRAM, NULL);
			_exit(errno == ETXTBSY ? 99 : 98);
		}
		return wait_for_child(child) == 99;
	}
	fd = open(PROGRAM, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == EWOULDBLOCK;
	busy = (leaving == A_FLOCK && flock(fd, LOCK_EX | LOCK_NB)) || (leaving == AN_OFD_LOCK && fcntl(fd, F_OFD_SETLK, &lock));
	close(fd);
	return busy;
}

static double busy_for(enum leaving leaving)
{
	uint64_t began = now_ns();

	while (is_busy(leaving) && now_ns() - began < 8000000000ULL)
		sleep_seconds(0.002);
	return (double)(now_ns() - began) / 1e9;
}

/* Seconds after its only process's end. */
static double left_behind(struct __test_metadata *_metadata, enum leaving leaving)
{
	double seconds;
	pid_t child;

	mount_memory(DIRECTORY);
	EXPECT_EQ(0, copy_file("/bin/true", PROGRAM, 0755));
	child = start_child(run_in_file, &leaving);
	see(_metadata, child, 0, 2);
	EXPECT_TRUE(is_busy(leaving));
	EXPECT_LE(1, session_figure(&session, "files_held"));
	stop_child(child);
	seconds = busy_for(leaving);
	end_session(_metadata);
	EXPECT_LE(0, unmount(DIRECTORY, 1));
	TH_LOG("busy for %.3f s", seconds);
	return seconds;
}

TEST(execve_is_not_kept_waiting)
{
	EXPECT_GT(AT_ONCE, left_behind(_metadata, A_WRITER));
}

TEST(no_flock_is_left)
{
	EXPECT_GT(AT_ONCE, left_behind(_metadata, A_FLOCK));
}

TEST(no_ofd_lock_is_left)
{
	EXPECT_GT(AT_ONCE, left_behind(_metadata, AN_OFD_LOCK));
}

TEST(no_lease_is_left)
{
	EXPECT_GT(AT_ONCE, left_behind(_metadata, A_LEASE));
}

/* Nor does a process with a lease keep whoever opens its file waiting, which would be for 45 seconds. */
TEST(a_lease_is_not_waited_for)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	enum leaving leaving = A_LEASE;
	uint32_t status;
	uint64_t began;
	pid_t child;
	int fd;

	mount_memory(DIRECTORY);
	EXPECT_EQ(0, copy_file("/bin/true", PROGRAM, 0755));
	child = start_child(run_in_file, &leaving);
	see(_metadata, child, 0, 2);
	began = now_ns();
	EXPECT_EQ(-EAGAIN, device_open_file(session.fd, spin_file, path, &status));
	EXPECT_GT(AT_ONCE * 1e9, (double)(now_ns() - began));
	stop_child(child);
	fd = device_open_file(session.fd, spin_file, path, &status);
	EXPECT_LE(0, fd);
	EXPECT_FALSE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	end_session(_metadata);
	EXPECT_LE(0, unmount(DIRECTORY, 1));
}

/* ------------------------------------------------------------------------------------------------ mounts, and what was deleted */

static int execute(void *argument)
{
	execute_spinner(argument, "0");
	return 1;
}

static void see_program(struct __test_metadata *_metadata, pid_t child)
{
	see(_metadata, child, offset_of(spin_here), offset_of(spin_here_end));
}

/* A program in a mount of its own, which was seen. */
static pid_t start_program(struct __test_metadata *_metadata)
{
	pid_t child;

	mount_memory(DIRECTORY);
	EXPECT_EQ(0, copy_file("/proc/self/exe", PROGRAM, 0755));
	child = start_child(execute, (void *)(uintptr_t)PROGRAM);
	see_program(_metadata, child);
	return child;
}

static void expect_it_goes(struct __test_metadata *_metadata, const char *mount)
{
	double seconds = unmount(mount, 10);

	TH_LOG("umount after %.2f s", seconds);
	EXPECT_LE(0, seconds);
	EXPECT_GT(A_SECOND, seconds);
}

TEST(a_mount_goes_within_a_second)
{
	stop_child(start_program(_metadata));
	expect_it_goes(_metadata, DIRECTORY);
	end_session(_metadata);
}

/*
 * The same inode by two mounts, as two containers of an image have it. It is held by the mount of whose process was seen first, and
 * the other's life does not keep that mount busy.
 */
TEST(another_mount_of_a_busy_file)
{
	pid_t first, other;
	uint64_t before;

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file("/proc/self/exe", PROGRAM, 0755));
	ASSERT_TRUE(!mkdir(BESIDE, 0755) || errno == EEXIST);
	ASSERT_EQ(0, mount(DIRECTORY, BESIDE, NULL, MS_BIND, NULL));
	first = start_child(execute, (void *)(uintptr_t)(BESIDE "/program"));
	see_program(_metadata, 0);
	other = start_child(execute, (void *)(uintptr_t)PROGRAM);
	ASSERT_EQ(0, session_run(&session, 1));
	stop_child(first);
	expect_it_goes(_metadata, BESIDE);
	before = in_spin;
	ASSERT_EQ(0, session_run(&session, 0.5));
	EXPECT_LT(before, in_spin);
	stop_child(other);
	end_session(_metadata);
	EXPECT_LE(0, unmount(DIRECTORY, 2));
}

/* Whoever is told of a file has time to open it, also if it was sampled long before its process's end. */
static void open_deleted(struct __test_metadata *_metadata, double idle)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	double limit = is_slow() ? 3 : 1.2;
	uint32_t status = 0;
	uint64_t ended;
	pid_t child;
	int fd;

	child = start_program(_metadata);
	ASSERT_EQ(0, unlink(PROGRAM));
	if (idle > 0) {
		kill(child, SIGSTOP);
		ASSERT_EQ(0, session_run(&session, idle));
	}
	stop_child(child);
	ended = now_ns();
	sleep_seconds(0.5);
	fd = device_open_file(session.fd, spin_file, path, &status);
	EXPECT_LE(0, fd);
	EXPECT_EQ(KTALLY_FILE_DELETED, status);
	EXPECT_STREQ(PROGRAM, path);
	close(fd);
	while ((double)(now_ns() - ended) / 1e9 < limit)
		sleep_seconds(0.01);
	EXPECT_EQ(-ESTALE, device_open_file(session.fd, spin_file, path, &status));
	end_session(_metadata);
	EXPECT_LE(0, unmount(DIRECTORY, 0.5));
}

TEST(deleted_files_can_be_opened_meanwhile)
{
	open_deleted(_metadata, 0);
}

TEST(also_when_sampled_long_before)
{
	open_deleted(_metadata, 3);
}

TEST_HARNESS_MAIN
