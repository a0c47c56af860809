// SPDX-License-Identifier: GPL-2.0
/* User frames as offsets in files: the right file and offset, whatever is mapped where and however often that changes. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

#define DIRECTORY "/tmp/ktally-files"
#define ADDRESS ((void *)0x10000000)
#define SELF "/proc/self/exe"

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
	start_mix(mix, 2);
	ASSERT_EQ(0, session_run(&session, 3));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ju samples, %ju in files, %ju in the mix", (uintmax_t)in_user, (uintmax_t)in_files, (uintmax_t)in_mix);
	EXPECT_GT(in_user, 100);
	EXPECT_GT(in_files * 100, in_user * 99);
	EXPECT_GT(in_mix * 100, in_user * 90);
	session_close(&session);
	stop_child(mixer);
}

/* ------------------------------------------------------------------------------------------------ mapping and unmapping */

/* Samples in the code of a file, by who called it; and in code of no known file. */
static uint64_t first_by_first, second_by_second, wrong, unknown;
static uint64_t first_caller, first_caller_end, second_caller, second_caller_end;
static char mark_of[64];

static __attribute__((noipa, aligned(64))) void call_first(code function)
{
	function(200000);
	__asm__ volatile("");
}

static __attribute__((noipa, aligned(64))) void call_second(code function)
{
	function(200000);
	__asm__ volatile("");
}

static int map_by_turns(void *argument)
{
	(void)argument;
	pin_to_cpu(0, 1);
	for (;;) {
		code function = map_code(DIRECTORY "/first", ADDRESS);

		call_first(function);
		unmap_code(function);
		function = map_code(DIRECTORY "/second", ADDRESS);
		call_second(function);
		unmap_code(function);
	}
	return 0;
}

/* The file's content tells which it is. */
static char mark_of_file(uint32_t number)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	struct stat status;
	uint32_t flags;
	int fd;

	if (number >= sizeof(mark_of))
		return '?';
	if (mark_of[number])
		return mark_of[number];
	fd = device_open_file(session.fd, number, path, &flags);
	if (fd < 0 || fstat(fd, &status) || status.st_size != CODE_BYTES ||
	    pread(fd, &mark_of[number], 1, CODE_BYTES - 1) != 1)
		mark_of[number] = '?';
	close(fd);
	return mark_of[number];
}

static void check_callers(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	uint64_t leaf, caller;
	char mark;

	if (record->type != KTALLY_RECORD_SAMPLE || record->flags & KTALLY_SAMPLE_KERNEL)
		return;
	stack = session_stack(from, sample->stack_id);
	if (stack->user_frames < 2)
		return;
	leaf = stack->frames[0];
	caller = stack->frames[1];
	if ((leaf & KTALLY_FRAME_VALUE_MASK) >> 12 == (uint64_t)ADDRESS >> 12)
		unknown++;
	if (!frame_is_file(leaf) || !frame_is_file(caller) || frame_offset(leaf) < CODE_OFFSET || frame_offset(leaf) >= CODE_END)
		return;
	mark = mark_of_file(frame_file(leaf));
	if (frame_offset(caller) >= first_caller && frame_offset(caller) < first_caller_end) {
		first_by_first += mark == '1';
		wrong += mark != '1';
	} else if (frame_offset(caller) >= second_caller && frame_offset(caller) < second_caller_end) {
		second_by_second += mark == '2';
		wrong += mark != '2';
	}
}

/* As by dlopen() and dlclose(), but always at one address, and one size. */
TEST(another_file_at_the_same_address)
{
	struct ktally_setup setup;
	pid_t child;

	mount_memory(DIRECTORY);
	write_code(DIRECTORY "/first", '1');
	write_code(DIRECTORY "/second", '2');
	first_caller = offset_of(call_first);
	first_caller_end = first_caller + 64;
	second_caller = offset_of(call_second);
	second_caller_end = second_caller + 64;
	ASSERT_TRUE(first_caller_end <= second_caller || second_caller_end <= first_caller);
	child = start_child(map_by_turns, NULL);
	setup = files_setup(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_callers;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 4));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("first %ju, second %ju, wrong %ju, unknown %ju", (uintmax_t)first_by_first, (uintmax_t)second_by_second,
	       (uintmax_t)wrong, (uintmax_t)unknown);
	EXPECT_GT(first_by_first, 100);
	EXPECT_GT(second_by_second, 100);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(unknown * 100, first_by_first + second_by_second);
	session_close(&session);
	stop_child(child);
	EXPECT_LE(0, unmount(DIRECTORY, 10));
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
	while (!in_spin)
		ASSERT_EQ(0, session_run(&session, 0.5));
	do {
		before = in_spin;
		ASSERT_EQ(0, session_run(&session, 0.5));
	} while (in_spin != before);
	elsewhere = nowhere = 0;
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(0, session_run(&session, 2));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("before exec %ju in the spinner; after it %ju in files, %ju not", (uintmax_t)before, (uintmax_t)elsewhere,
	       (uintmax_t)nowhere);
	EXPECT_GT(before, 20);
	EXPECT_EQ(before, in_spin);
	EXPECT_GT(elsewhere, 100);
	EXPECT_LT(nowhere * 100, elsewhere);
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
	ASSERT_EQ(0, session_run(&session, 2));
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
	EXPECT_GT(in_spin, 500);
	for (i = 0; i < session.stacks.size; i++) {
		const struct ktally_stack *stack = session.stacks.slots[i].record;

		if (!stack || !stack->user_frames || frame_offset(stack->frames[0]) < spin_begin ||
		    frame_offset(stack->frames[0]) >= spin_end || !frame_is_file(stack->frames[0]))
			continue;
		EXPECT_EQ(file, frame_file(stack->frames[0]));
	}
	session_close(&session);
	kill((pid_t)pids[0], SIGKILL);
	stop_child(child);
}

/* ------------------------------------------------------------------------------------------------ being told */

static int write_and_map(void *argument)
{
	int *turns = argument;
	code function;

	for (; wait_for_go(); (*turns)++) {
		write_code(DIRECTORY "/first", (char)('1' + *turns));
		function = map_code(DIRECTORY "/first", ADDRESS);
		function(300000000);
		unmap_code(function);
	}
	return 0;
}

static uint32_t code_file;

static void note_code(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	stack = session_stack(from, sample->stack_id);
	if (stack->user_frames && frame_is_file(stack->frames[0]) && frame_offset(stack->frames[0]) >= CODE_OFFSET &&
	    frame_offset(stack->frames[0]) < CODE_END && session_file(from, frame_file(stack->frames[0]))->bytes == CODE_BYTES)
		code_file = frame_file(stack->frames[0]);
}

/* Written anew, in place: the same name, inode and size. What it was cannot be had any more. */
TEST(a_rewritten_file_is_another)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	struct ktally_setup setup;
	uint32_t first, status;
	pid_t child;
	int fd, *turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, pipe(go));
	child = start_child(write_and_map, turns);
	setup = files_setup(&child, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_code;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(1, write(go[1], "", 1));
	while (*(volatile int *)turns < 1)
		ASSERT_EQ(0, session_run(&session, 0.2));
	first = code_file;
	EXPECT_NE(0, first);
	fd = device_open_file(session.fd, first, path, &status);
	EXPECT_LE(0, fd);
	EXPECT_STREQ(DIRECTORY "/first", path);
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, close(fd));

	ASSERT_EQ(1, write(go[1], "", 1));
	while (*(volatile int *)turns < 2)
		ASSERT_EQ(0, session_run(&session, 0.2));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_NE(first, code_file);
	EXPECT_EQ(session_file(&session, first)->inode, session_file(&session, code_file)->inode);
	EXPECT_EQ(-ESTALE, device_open_file(session.fd, first, path, &status));
	EXPECT_EQ('2', mark_of_file(code_file));
	session_close(&session);
	stop_child(child);
	EXPECT_LE(0, unmount(DIRECTORY, 10));
}

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
	EXPECT_EQ(-1, session_figure(&session, "spaces"));
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
