// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of files that were sampled: of processes that are gone, files that are deleted, file systems that one cannot reach;
 * for those who may. And what it costs to hold on to them, which comes back.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "nobody.h"
#include "workload.h"

#define SELF "/proc/self/exe"
#define DIRECTORY "/tmp/ktally-openfile"
#define HOLD_MS "/sys/module/ktally/parameters/file_hold_ms"

static struct session session;

/* The file that spin_here() was last seen in, and how many samples had a leaf in a file, and not. */
static uint32_t spin_file;
static uint64_t in_spinner, in_files, in_none;
static uint64_t spin_begin, spin_end;

static void note_files(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	stack = session_stack(from, sample->stack_id);
	if (!stack->user_frames)
		return;
	if (!frame_is_file(stack->frames[0])) {
		in_none++;
		return;
	}
	in_files++;
	if (frame_offset(stack->frames[0]) >= spin_begin && frame_offset(stack->frames[0]) < spin_end) {
		spin_file = frame_file(stack->frames[0]);
		in_spinner++;
	}
}

/* For how long files are held after their process: longer than usual, for it is others that are tried here, on slow machines. */
static const char *hold_ms = "5000";

static void watch(struct __test_metadata *_metadata, const pid_t *pids, uint32_t count, uint32_t filter)
{
	struct ktally_setup setup = files_setup(pids, count);

	setup.filter = filter;
	spin_begin = offset_of(spin_here);
	spin_end = offset_of(spin_here_end);
	spin_file = 0;
	in_spinner = 0;
	if (!geteuid()) {
		ASSERT_EQ(0, write_file(HOLD_MS, hold_ms));
	}
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_files;
	ASSERT_EQ(0, device_enable(session.fd));
}

/* Until a child has become that program. */
static void see_program(struct __test_metadata *_metadata, pid_t child, const char *program)
{
	char link[40], path[KTALLY_PATH_BYTES_MAX] = "";
	unsigned int tries;

	snprintf(link, sizeof(link), "/proc/%d/exe", child);
	for (tries = 0; strcmp(path, program) && tries < 300; tries++) {
		ssize_t bytes = readlink(link, path, sizeof(path) - 1);

		path[bytes < 0 ? 0 : bytes] = '\0';
		sleep_seconds(0.1);
	}
	ASSERT_STREQ(program, path);
}

static void unwatch(struct __test_metadata *_metadata)
{
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
}

/* It is this program, by its content. */
static void expect_self(struct __test_metadata *_metadata, int fd)
{
	int self = open(SELF, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_TRUE(is_same_content(fd, self));
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(self);
	close(fd);
}

/* ------------------------------------------------------------------------------------------------ short lives */

#define SHORT_PROCESSES 300

static int go[2];

static int run_short_programs(void *argument)
{
	char byte;
	int i;

	(void)argument;
	if (read(go[0], &byte, 1) != 1)
		return 1;
	for (i = 0; i < SHORT_PROCESSES; i++) {
		pid_t child = vfork();

		if (!child)
			execute_spinner(SELF, "500000");
		waitpid(child, NULL, 0);
	}
	return 0;
}

TEST(processes_of_milliseconds)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	uint32_t status, opened = 0, files = 0;
	uint64_t began;
	pid_t child;
	size_t i;
	int fd;

	ASSERT_EQ(0, pipe(go));
	child = start_child(run_short_programs, NULL);
	watch(_metadata, &child, 1, KTALLY_FILTER_CHILDREN);
	began = now_ns();
	ASSERT_EQ(1, write(go[1], "", 1));
	while (!waitpid(child, NULL, WNOHANG))
		ASSERT_EQ(0, session_run(&session, 0.1));
	began = now_ns() - began;
	unwatch(_metadata);

	for (i = 0; i < session.files.size; i++) {
		const struct ktally_file *file = session.files.slots[i].record;

		if (!file)
			continue;
		files++;
		fd = device_open_file(session.fd, file->file, path, &status);
		if (fd < 0) {
			TH_LOG("file %u: error %d", file->file, -fd);
			continue;
		}
		opened++;
		close(fd);
	}
	TH_LOG("%d processes of %.1f ms, %ju samples with a leaf in a file, %ju not; %u of %u files opened", SHORT_PROCESSES,
	       (double)began / 1e6 / SHORT_PROCESSES, (uintmax_t)in_files, (uintmax_t)in_none, opened, files);
	EXPECT_GT(in_files, SHORT_PROCESSES / 2);
	/* A process that ends before the worker has looked has addresses only. */
	if (!is_realtime()) {
		EXPECT_GE(in_files * 5, in_none * 95);
	}
	EXPECT_EQ(files, opened);
	EXPECT_GE(files, 3);		/* this program, the C library, the dynamic linker */
	expect_self(_metadata, device_open_file(session.fd, spin_file, path, &status));
	session_close(&session);
}

static int run_short_copies(void *argument)
{
	int i;

	for (i = 0; i < *(int *)argument; i++) {
		pid_t child = fork();

		if (!child) {
			spin_here(500000);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	return 0;
}

/* What was held for them is given back: memory, and files. */
TEST(memory_comes_back)
{
	int processes = is_emulated() ? 500 : 5000;
	long before, after = 0, bytes, most = 0;
	unsigned int tries;
	pid_t child;

	hold_ms = "100";
	before = available_kb();
	child = getpid();
	watch(_metadata, &child, 1, KTALLY_FILTER_CHILDREN);
	bytes = session_figure(&session, "module_bytes");
	child = start_child(run_short_copies, &processes);
	while (!waitpid(child, NULL, WNOHANG)) {
		ASSERT_EQ(0, session_run(&session, 0.1));
		if (session_figure(&session, "spaces") > most)
			most = session_figure(&session, "spaces");
	}
	ASSERT_EQ(0, session_run(&session, 2));
	unwatch(_metadata);
	TH_LOG("%ld spaces at most, %ld at the end; %ld files held; %ld bytes at the beginning, %ld at the end", most,
	       session_figure(&session, "spaces"), session_figure(&session, "files_held"), bytes,
	       session_figure(&session, "module_bytes"));
	EXPECT_GT(most, 1);
	EXPECT_LT(session_figure(&session, "spaces"), 16);
	EXPECT_LT(session_figure(&session, "module_bytes"), bytes + 300000);
	session_close(&session);
	/* The kernel frees what processes had when it gets to it. */
	for (tries = 0; tries < 100 && (after = available_kb()) <= before - 16 * 1024; tries++)
		sleep_seconds(0.1);
	TH_LOG("%ld kB available before, %ld after", before, after);
	EXPECT_GT(after, before - 16 * 1024);
}

/* ------------------------------------------------------------------------------------------------ out of reach */

static int execute(void *argument)
{
	execute_spinner(argument, "0");
	return 1;
}

TEST(deleted)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	char program[] = DIRECTORY "/deleted";
	uint32_t status = 0;
	pid_t child;

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file(SELF, program, 0755));
	child = start_child(execute, program);
	see_program(_metadata, child, program);
	ASSERT_EQ(0, unlink(program));
	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	stop_child(child);
	unwatch(_metadata);
	expect_self(_metadata, device_open_file(session.fd, spin_file, path, &status));
	EXPECT_EQ(KTALLY_FILE_DELETED, status);
	EXPECT_STREQ(program, path);
	session_close(&session);
	EXPECT_LE(0, unmount(DIRECTORY, 10));
}

/* Where the program is nobody else can see. */
static int execute_in_private(void *argument)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	mount_memory(DIRECTORY "/private");
	if (copy_file(SELF, argument, 0755))
		return 2;
	return execute(argument);
}

TEST(another_mount_namespace)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	char program[] = DIRECTORY "/private/program";
	uint32_t status;
	pid_t child;

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, mkdir(DIRECTORY "/private", 0755));
	child = start_child(execute_in_private, program);
	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	EXPECT_NE(0, access(program, F_OK));
	expect_self(_metadata, device_open_file(session.fd, spin_file, path, &status));
	EXPECT_EQ(0, status);
	EXPECT_STREQ(program, path);

	/* With its last process the namespace goes, and takes its mounts apart. */
	stop_child(child);
	sleep_seconds(0.2);
	unwatch(_metadata);
	expect_self(_metadata, device_open_file(session.fd, spin_file, path, &status));
	EXPECT_STREQ("/program", path);
	session_close(&session);
	EXPECT_LE(0, unmount(DIRECTORY, 10));
}

/* A file that is held keeps its mount busy: for as long as was said, and no longer. */
TEST(a_busy_mount)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	char program[] = DIRECTORY "/program";
	uint32_t status;
	double seconds;
	pid_t child;

	hold_ms = "1500";
	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file(SELF, program, 0755));
	child = start_child(execute, program);
	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	EXPECT_LE(1, session_figure(&session, "files_held"));
	stop_child(child);
	EXPECT_NE(0, umount(DIRECTORY));
	EXPECT_EQ(EBUSY, errno);
	seconds = unmount(DIRECTORY, 10);
	TH_LOG("umount after %.2f s", seconds);
	EXPECT_LT(0.5, seconds);
	EXPECT_GT(1.5 + 1.5, seconds);
	EXPECT_EQ(-ESTALE, device_open_file(session.fd, spin_file, path, &status));
	unwatch(_metadata);
	session_close(&session);

	/* The end of the session is the end of that, too. */
	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file(SELF, program, 0755));
	child = start_child(execute, program);
	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run(&session, 1));
	stop_child(child);
	unwatch(_metadata);
	session_close(&session);
	EXPECT_LE(0, unmount(DIRECTORY, 0.5));
}

/* ------------------------------------------------------------------------------------------------ rights */

static int spin_as_nobody(void *argument)
{
	(void)argument;
	become_nobody(0);
	for (;;)
		spin_here(1000000);
	return 0;
}

/* One's own processes have frames in files, too, and one may know what files these are: but not have them opened. */
TEST(without_cap_perfmon)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	uint32_t status;

	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	start_child(spin_as_nobody, NULL);
	sleep_seconds(0.2);
	become_nobody(1ULL << CAP_SYS_PTRACE);
	watch(_metadata, NULL, 0, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	unwatch(_metadata);
	EXPECT_EQ(-EPERM, device_open_file(session.fd, spin_file, path, &status));
	session_close(&session);
}

static int open_as_nobody(uint64_t capabilities)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	pid_t child = fork();
	uint32_t status;
	int result;

	if (!child) {
		become_nobody(capabilities);
		result = device_open_file(session.fd, spin_file, path, &status);
		_exit(result < 0 ? -result : 0);
	}
	return -wait_for_child(child);
}

/* The session is root's; who asks must have the right as well, and be allowed to read the file. */
TEST(without_cap_sys_ptrace)
{
	char program[] = DIRECTORY "/program";
	uint64_t ptrace = 1ULL << CAP_SYS_PTRACE, perfmon = 1ULL << CAP_PERFMON;
	pid_t child;

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file(SELF, program, 0700));
	child = start_child(spin_as_nobody, NULL);
	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	unwatch(_metadata);
	session_close(&session);

	stop_child(child);
	child = start_child(execute, program);
	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	unwatch(_metadata);
	EXPECT_EQ(-EPERM, open_as_nobody(0));
	EXPECT_EQ(-EPERM, open_as_nobody(perfmon));
	EXPECT_EQ(-EPERM, open_as_nobody(ptrace | 1ULL << CAP_DAC_READ_SEARCH));
	EXPECT_EQ(-EPERM, open_as_nobody(((1ULL << 39) - 1) & ~ptrace));
	EXPECT_EQ(-EACCES, open_as_nobody(perfmon | ptrace));
	EXPECT_EQ(0, open_as_nobody(perfmon | ptrace | 1ULL << CAP_DAC_READ_SEARCH));
	ASSERT_EQ(0, chmod(program, 0755));
	EXPECT_EQ(0, open_as_nobody(perfmon | ptrace));
	stop_child(child);
	session_close(&session);
	EXPECT_LE(0, unmount(DIRECTORY, 1));
}

TEST(what_is_asked)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	struct ktally_open_file request = { .size = sizeof(request) };
	pid_t child = start_child(execute, (void *)(uintptr_t)SELF);
	int last = open("/dev/null", O_RDONLY | O_CLOEXEC), opened;
	uint32_t status;

	watch(_metadata, &child, 1, 0);
	ASSERT_EQ(0, session_run_until(&session, &in_spinner, 1));
	stop_child(child);
	unwatch(_metadata);
	EXPECT_EQ(-ENOENT, device_open_file(session.fd, 0, path, &status));
	EXPECT_EQ(-ENOENT, device_open_file(session.fd, 1U << 23, path, &status));
	EXPECT_EQ(-ENOENT, device_open_file(session.fd, UINT32_MAX, path, &status));
	EXPECT_EQ(-EFAULT, device_open_file(session.fd, spin_file, (char *)8, &status));

	request.file = spin_file;
	request.flags = 1;
	EXPECT_NE(0, ioctl(session.fd, KTALLY_IOC_OPEN_FILE, &request));
	EXPECT_EQ(EINVAL, errno);
	request.flags = 0;
	request.path = (uintptr_t)path;
	request.path_bytes = 3;
	EXPECT_NE(0, ioctl(session.fd, KTALLY_IOC_OPEN_FILE, &request));
	EXPECT_EQ(ENAMETOOLONG, errno);
	request.path = 0;
	ASSERT_EQ(0, ioctl(session.fd, KTALLY_IOC_OPEN_FILE, &request));
	EXPECT_GT(request.path_bytes, 3);
	opened = request.fd;
	EXPECT_GT(opened, last);
	expect_self(_metadata, opened);

	/* What failed left no descriptor behind. */
	close(last);
	EXPECT_EQ(last, dup(0));
	EXPECT_EQ(-1, fcntl(opened, F_GETFD));
	session_close(&session);
}

TEST_HARNESS_MAIN
