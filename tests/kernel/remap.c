// SPDX-License-Identifier: GPL-2.0
/* One file after the other at one address, and one content after the other in one file: frames are in what ran. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

#define DIRECTORY "/tmp/ktally-remap"
#define ADDRESS ((void *)0x10000000)

static struct session session;

/* ------------------------------------------------------------------------------------------------ mapping and unmapping */

/* Samples in the code of a file, by who called it; and in code of no known file. */
static uint64_t first_by_first, second_by_second, wrong, unknown;
static uint64_t first_caller, first_caller_end, second_caller, second_caller_end;
static struct {
	uint32_t number;
	char mark;
} files[64];

#define CALLER_BYTES 64	/* at most, as they are aligned */

/* What a worker must have looked at first has to be there for some time. */
static unsigned int calls_in_a_turn = 1;

static __attribute__((noipa, aligned(64))) void call_first(code function)
{
	for (unsigned int i = calls_in_a_turn; i; i--)
		function(200000);
	__asm__ volatile("");
}

static __attribute__((noipa, aligned(64))) void call_second(code function)
{
	for (unsigned int i = calls_in_a_turn; i; i--)
		function(200000);
	__asm__ volatile("");
}

static int map_by_turns(void *argument)
{
	(void)argument;
	pin_to_cpu(0, 1);
	if (is_realtime())
		calls_in_a_turn = 1000;
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
	size_t place = 0;
	uint32_t flags;
	int fd;

	while (place < ARRAY_SIZE(files) && files[place].number && files[place].number != number)
		place++;
	if (place == ARRAY_SIZE(files))
		return '?';
	if (files[place].number)
		return files[place].mark;
	files[place].number = number;
	fd = device_open_file(session.fd, number, path, &flags);
	if (fd < 0 || fstat(fd, &status) || status.st_size != CODE_BYTES ||
	    pread(fd, &files[place].mark, 1, CODE_BYTES - 1) != 1)
		files[place].mark = '?';
	close(fd);
	return files[place].mark;
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
	first_caller_end = first_caller + CALLER_BYTES;
	second_caller = offset_of(call_second);
	second_caller_end = second_caller + CALLER_BYTES;
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
	EXPECT_GT(first_by_first, 30);
	EXPECT_GT(second_by_second, 30);
	if (is_realtime()) {
		EXPECT_LT((wrong + unknown) * 2, first_by_first + second_by_second);
	} else {
		EXPECT_EQ(0, wrong);
		EXPECT_LT(unknown * 100, first_by_first + second_by_second);
	}
	session_close(&session);
	stop_child(child);
	EXPECT_LE(0, unmount(DIRECTORY, 10));
}

/* ------------------------------------------------------------------------------------------------ writing anew */

static int go[2];

static bool wait_for_go(void)
{
	char byte;

	return read(go[0], &byte, 1) == 1;
}

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
	uint32_t file;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	file = leaf_file(session_stack(from, sample->stack_id), CODE_OFFSET, CODE_END);
	if (file && session_file(from, file)->bytes == CODE_BYTES)
		code_file = file;
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

TEST_HARNESS_MAIN
