// SPDX-License-Identifier: GPL-2.0
/* User frames as offsets in files: the right file and offset, of samples, waits and wakers, after fork and exec. */
#include <poll.h>
#include <sys/stat.h>
#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

static struct session session;

/* ------------------------------------------------------------------------------------------------ as maps has it */

static uint64_t in_mix, in_files, in_user;
static pid_t mixer;

/* Where a frame is in the process, by its maps; 0: nowhere. */
static uint64_t address_of(uint64_t frame)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	struct mapped mapped;
	uint32_t status;
	int fd;

	if (!frame_is_file(frame))
		return frame & KTALLY_FRAME_VALUE_MASK;
	fd = device_open_file(session.fd, frame_file(frame), path, &status);
	if (fd < 0)
		return 0;
	close(fd);
	if (!find_mapped_file(mixer, path, frame_offset(frame), &mapped))
		return 0;
	return mapped.start + frame_offset(frame) - mapped.offset;
}

static bool is_in(const struct range *range, uint64_t address)
{
	return address >= range->begin && address < range->end;
}

static bool is_in_mix(const struct ktally_stack *stack)
{
	uint64_t address[3];
	int i, part;

	for (i = 0; i < 3; i++)
		address[i] = address_of(stack->frames[i]);
	for (part = 0; part < PARTS; part++)
		if (is_in(&parts.inner[part], address[0]) && is_in(&parts.outer[part], address[1]) &&
		    is_in(&parts.mix, address[2]))
			return true;
	return false;
}

/* Looking at maps takes its time, so each stack is looked at but once. */
static void check_mix(struct session *from, const struct ktally_record *record)
{
	static struct {
		uint64_t id;
		bool in_files, in_mix;
	} seen[1000];
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	size_t i;

	if (record->type != KTALLY_RECORD_SAMPLE || record->flags & KTALLY_SAMPLE_KERNEL)
		return;
	stack = session_stack(from, sample->stack_id);
	if (stack->user_frames < 3)
		return;
	for (i = 0; i < ARRAY_SIZE(seen) - 1 && seen[i].id && seen[i].id != stack->stack_id; i++)
		continue;
	if (seen[i].id != stack->stack_id) {
		seen[i].id = stack->stack_id;
		seen[i].in_files = frame_is_file(stack->frames[0]) && frame_is_file(stack->frames[1]) &&
				   frame_is_file(stack->frames[2]);
		seen[i].in_mix = is_in_mix(stack);
	}
	in_user++;
	in_files += seen[i].in_files;
	in_mix += seen[i].in_mix;
}

TEST(frames_are_where_maps_has_them)
{
	struct mix *mix = create_mix(&mixer);
	struct ktally_setup setup = files_setup(&mixer, 1);

	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_mix;
	ASSERT_EQ(0, device_enable(session.fd));
	start_mix(mix, 60);
	/* The first samples come before a worker has looked at the process's mappings. */
	ASSERT_EQ(0, session_run_until(&session, &in_files, 1));
	in_user = in_files = in_mix = 0;
	ASSERT_EQ(0, session_run_until(&session, &in_user, 1000));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ju samples, %ju in files, %ju in the mix", (uintmax_t)in_user, (uintmax_t)in_files, (uintmax_t)in_mix);
	/* Now and then the time is asked for. */
	EXPECT_GT(in_files * 100, in_user * 95);
	EXPECT_GT(in_mix * 100, in_user * 90);
	session_close(&session);
	stop_child(mixer);
}

/* ------------------------------------------------------------------------------------------------ exec and fork */

static int go[2];

static bool wait_for_go(void)
{
	char byte;

	return read(go[0], &byte, 1) == 1;
}

/* Samples in user mode whose leaf is in spin_here() of this program, in another file, and in none. */
static uint64_t in_spin, elsewhere, nowhere;
static uint64_t spin_begin, spin_end;
static uint32_t spin_file;

static void check_spin(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;

	if (record->type != KTALLY_RECORD_SAMPLE || record->flags & KTALLY_SAMPLE_KERNEL)
		return;
	stack = session_stack(from, sample->stack_id);
	if (!stack->user_frames || !frame_is_file(stack->frames[0])) {
		nowhere++;
	} else if (frame_offset(stack->frames[0]) >= spin_begin && frame_offset(stack->frames[0]) < spin_end) {
		in_spin++;
		spin_file = frame_file(stack->frames[0]);
	} else {
		elsewhere++;
	}
}

static void find_spin(void)
{
	spin_begin = offset_of(spin_here);
	spin_end = offset_of(spin_here_end);
}

static int execute_a_shell(void *argument)
{
	char *arguments[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"while :; do :; done", NULL };

	(void)argument;
	if (!wait_for_go())
		return 1;
	spin_here(1000000000);
	if (!wait_for_go())
		return 1;
	execv("/bin/sh", arguments);
	return 1;
}

TEST(exec_in_place)
{
	struct ktally_setup setup;
	uint64_t before;
	pid_t child;

	find_spin();
	ASSERT_EQ(0, pipe(go));
	child = start_child(execute_a_shell, NULL);
	setup = files_setup(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_spin;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, session_run_until(&session, &in_spin, 1));
	do {
		before = in_spin;
		ASSERT_EQ(0, session_run(&session, 0.5));
	} while (in_spin != before);
	elsewhere = nowhere = 0;
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, session_run_until(&session, &elsewhere, 1000));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("before exec %ju in the spinner; after it %ju in files, %ju not", (uintmax_t)before, (uintmax_t)elsewhere,
	       (uintmax_t)nowhere);
	EXPECT_GT(before, 20);
	EXPECT_EQ(before, in_spin);
	EXPECT_LT(nowhere * (is_realtime() ? 10 : 100), elsewhere);
	session_close(&session);
	stop_child(child);
}

static int spin_on(void *argument)
{
	(void)argument;
	for (;;)
		spin_here(1000000);
	return 0;
}

static int fork_and_spin(void *argument)
{
	(void)argument;
	start_child(spin_on, NULL);
	return spin_on(NULL);
}

/* Two processes, one copied from the other: the same frames, and so the same stacks, in no address space. */
TEST(fork_without_exec)
{
	uint32_t file, pids[2] = {};
	struct ktally_setup setup;
	unsigned int i;
	pid_t child;

	find_spin();
	child = start_child(fork_and_spin, NULL);
	setup = files_setup(NULL, 0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_spin;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run_until(&session, &in_spin, 1000));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	file = spin_file;
	for (i = 0; i < session.tasks.size; i++) {
		const struct ktally_task *task = session.tasks.slots[i].record;

		if (task && (task->pid == (uint32_t)child || task->parent == (uint32_t)child))
			pids[task->pid == (uint32_t)child] = task->pid;
	}
	EXPECT_NE(0, pids[0]);
	EXPECT_NE(0, pids[1]);
	for (i = 0; i < session.stacks.size; i++) {
		const struct ktally_stack *stack = session.stacks.slots[i].record;

		if (stack && leaf_file(stack, spin_begin, spin_end))
			EXPECT_EQ(file, leaf_file(stack, spin_begin, spin_end));
	}
	session_close(&session);
	kill((pid_t)pids[0], SIGKILL);
	stop_child(child);
}

/* ------------------------------------------------------------------------------------------------ waits */

static uint64_t waits, waits_in_files, wakers, wakers_in_files;
static pid_t waiting;

static bool leaf_is_file(const struct ktally_stack *stack)
{
	return stack->user_frames && frame_is_file(stack->frames[stack->kernel_frames]);
}

static void check_waits(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	const struct ktally_stack *waker;
	const struct ktally_task *task;

	if (record->type != KTALLY_RECORD_OFFCPU || wait->state != KTALLY_OFFCPU_SLEEP)
		return;
	task = session_task(from, wait->task_id);
	if (task->pid != (uint32_t)waiting && task->parent != (uint32_t)waiting)
		return;
	waits++;
	waits_in_files += leaf_is_file(session_stack(from, wait->stack_id));
	/* It may be told in a ring that is yet to be read. */
	waker = wait->waker_stack_id ? session_stack(from, wait->waker_stack_id) : NULL;
	if (!waker)
		return;
	wakers++;
	wakers_in_files += leaf_is_file(waker);
}

/*
 * Where a waker is looked at the kernel cannot be asked about its mappings; a worker does that soon after. Both processes are
 * followed, for on one CPU it can be that always the same one sleeps, and the other is preempted.
 */
TEST(waits_and_wakers)
{
	struct ktally_setup setup = files_setup(NULL, 0);

	waiting = start_ping_pong();
	setup.sources = KTALLY_SOURCE_OFFCPU;
	setup.capture |= KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_WAKER_STACK;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_waits;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run_until(&session, &wakers_in_files, 1));
	waits = waits_in_files = wakers = wakers_in_files = 0;
	ASSERT_EQ(0, session_run_until(&session, &wakers, 200));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ju waits, %ju of them in files; %ju wakers, %ju", (uintmax_t)waits, (uintmax_t)waits_in_files,
	       (uintmax_t)wakers, (uintmax_t)wakers_in_files);
	EXPECT_GT(waits_in_files * 100, waits * 98);
	EXPECT_GT(wakers_in_files * 100, wakers * 90);
	session_close(&session);
	stop_child(waiting);
}

/* ------------------------------------------------------------------------------------------------ being told */

/* After RESEND all files are told again, before the stacks that name them: that is checked with every record. */
TEST(files_are_told_again)
{
	pid_t child = start_maze();
	struct ktally_setup setup = files_setup(&child, 1);
	uint64_t before;
	unsigned int i;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.5));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	ASSERT_LE(0, session_drain(&session));
	before = session_total(&session).files;
	EXPECT_NE(0, before);
	for (i = 0; i < session.files.size; i++)
		session.files.slots[i].rings = 0;
	for (i = 0; i < session.stacks.size; i++)
		session.stacks.slots[i].rings = 0;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.5));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_GT(session_total(&session).files, before);
	session_close(&session);
	stop_child(child);
}

/* A reader that sleeps until much has gathered hears of a new file at once, and of nothing else. */
TEST(a_new_file_does_not_wait)
{
	pid_t child = start_child(spin_on, NULL);
	struct ktally_setup setup = files_setup(&child, 1);
	struct pollfd ready;
	int tries = 20;

	setup.latency_ms = 60000;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ready = (struct pollfd) { .fd = session.fd, .events = POLLIN };
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, poll(&ready, 1, 5000));
	ASSERT_LE(0, session_drain(&session));
	EXPECT_NE(0, session_total(&session).files);
	/* At some time all files of the loop are known; a tick may be in one more. Samples go on. */
	ASSERT_EQ(0, session_run(&session, 0.5));
	do {
		ASSERT_LE(0, session_drain(&session));
	} while (poll(&ready, 1, 300) && --tries);
	EXPECT_LT(0, tries);
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

/* ------------------------------------------------------------------------------------------------ numbers */

#define DIRECTORY "/tmp/ktally-files"
#define PROGRAMS 4

static int execute_copy(void *path)
{
	execute_spinner(path, "0");
	return 1;
}

/* The number of a program that is nobody else's file, by samples of its own process. */
static uint32_t see_copy(struct __test_metadata *_metadata, const char *path)
{
	const struct ktally_file *file;
	struct stat status;
	pid_t child;

	EXPECT_EQ(0, copy_file("/proc/self/exe", path, 0755));
	EXPECT_EQ(0, stat(path, &status));
	/* What is left of the one before. */
	EXPECT_LE(0, session_drain(&session));
	in_spin = spin_file = 0;
	child = start_child(execute_copy, (void *)(uintptr_t)path);
	EXPECT_EQ(0, session_run_until(&session, &in_spin, 1));
	stop_child(child);
	file = spin_file ? session_file(&session, spin_file) : NULL;
	EXPECT_NE(NULL, file);
	if (file) {
		EXPECT_EQ(status.st_ino, file->inode);
	}
	return spin_file;
}

static bool is_among(const uint32_t *numbers, unsigned int count, uint32_t number)
{
	while (count--)
		if (numbers[count] == number)
			return true;
	return false;
}

static int open_and_close(void)
{
	struct ktally_setup setup = files_setup(NULL, 0);
	int fd = device_open(), error = fd < 0 ? fd : device_setup(fd, &setup);

	close(fd);
	return error;
}

/*
 * No number is a second file's while any session is open that may have been told it, whoever comes and goes meanwhile. Nor does one tell
 * how many there were before: of eight, none above 1 in 256 by chance, once in 2^64.
 */
TEST(a_number_is_one_file)
{
	struct ktally_setup setup;
	uint32_t numbers[2][PROGRAMS] = {}, largest = 0;
	unsigned int life, i;
	pid_t me = getpid();
	char path[64];

	find_spin();
	mount_memory(DIRECTORY);
	for (life = 0; life < 2; life++) {
		setup = files_setup(&me, 1);
		setup.filter = KTALLY_FILTER_CHILDREN;
		ASSERT_EQ(0, session_open(&session, &setup, true));
		session.on_record = check_spin;
		ASSERT_EQ(0, device_enable(session.fd));
		for (i = 0; i < PROGRAMS; i++) {
			snprintf(path, sizeof(path), DIRECTORY "/program%u-%u", life, i);
			numbers[life][i] = see_copy(_metadata, path);
			EXPECT_NE(0, numbers[life][i]);
			EXPECT_FALSE(is_among(numbers[life], i, numbers[life][i]));
			if (numbers[life][i] > largest)
				largest = numbers[life][i];
			ASSERT_EQ(0, open_and_close());
		}
		EXPECT_EQ(0, session_finish(&session));
		EXPECT_STREQ("", session.error);
		session_close(&session);
	}
	EXPECT_LT(1U << 16, largest);
	/* They begin anew, by another key: one is given once more in a million such runs. */
	for (i = 0; i < PROGRAMS; i++)
		EXPECT_FALSE(is_among(numbers[0], PROGRAMS, numbers[1][i]));
	EXPECT_LE(0, unmount(DIRECTORY, 10));
}

/* ------------------------------------------------------------------------------------------------ not asked for */

/* Not asked for, they are not there: who knows no files gets what he always got. */
TEST(only_when_asked)
{
	pid_t child = start_maze();
	struct ktally_setup setup = files_setup(&child, 1);

	setup.capture = KTALLY_CAPTURE_USER;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.5));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_LT(0, session_total(&session).stacks);
	EXPECT_EQ(0, session_total(&session).files);
	EXPECT_EQ(0, session_figure(&session, "spaces"));
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
