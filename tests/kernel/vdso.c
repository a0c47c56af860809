// SPDX-License-Identifier: GPL-2.0
/* The vdso: one file for all processes, wherever it is mapped, whose content can be had when they are gone. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

static struct session session, by_address;

/* Samples of each process whose leaf is in the vdso, at what lowest and highest offset; and those whose leaf is at an address. */
static pid_t processes[2];
static uint64_t in_vdso[2], at_address, least, most;
static uint32_t vdso_file;

/* The lowest offset that a session without files saw of the first process, and how many samples it saw there. */
static struct mapped mapped;
static uint64_t least_by_address, seen_by_address;

static bool is_vdso(uint32_t number)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	static uint32_t others[8];
	static size_t other_count;
	uint32_t status = 0;
	size_t i;
	int fd;

	if (vdso_file)
		return number == vdso_file;
	for (i = 0; i < other_count; i++)
		if (others[i] == number)
			return false;
	fd = device_open_file(session.fd, number, path, &status);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !status && !strcmp(path, "[vdso]"))
		vdso_file = number;
	else if (other_count < ARRAY_SIZE(others))
		others[other_count++] = number;
	return number == vdso_file;
}

static void note_leaf(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	uint64_t leaf;
	int i;

	if (record->type != KTALLY_RECORD_SAMPLE || record->flags & KTALLY_SAMPLE_KERNEL)
		return;
	stack = session_stack(from, sample->stack_id);
	if (!stack->user_frames)
		return;
	leaf = stack->frames[0];
	at_address += !frame_is_file(leaf);
	if (!frame_is_file(leaf) || !is_vdso(frame_file(leaf)))
		return;
	if (!least || frame_offset(leaf) < least)
		least = frame_offset(leaf);
	if (frame_offset(leaf) > most)
		most = frame_offset(leaf);
	for (i = 0; i < 2; i++)
		in_vdso[i] += session_task(from, sample->task_id)->pid == (uint32_t)processes[i];
}

static void note_address(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	uint64_t offset;

	if (record->type != KTALLY_RECORD_SAMPLE || record->flags & KTALLY_SAMPLE_KERNEL)
		return;
	stack = session_stack(from, sample->stack_id);
	offset = (stack->frames[0] & KTALLY_FRAME_VALUE_MASK) - mapped.start;
	if (!stack->user_frames || offset >= mapped.end - mapped.start)
		return;
	if (!seen_by_address || offset < least_by_address)
		least_by_address = offset;
	seen_by_address++;
}

/* Samples there, told either way. */
static uint64_t there;

static void note_either(struct session *from, const struct ktally_record *record)
{
	note_leaf(from, record);
	note_address(from, record);
	there = in_vdso[0] + seen_by_address;
}

#define ASK_VARIABLE "KTALLY_ASK"

/* This program, executed with that in its environment, does nothing but ask for the time. */
__attribute__((constructor)) static void ask_for_the_time(void)
{
	struct timespec now;

	while (getenv(ASK_VARIABLE))
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static int execute(void *argument)
{
	char *arguments[] = { (char *)(uintptr_t)"ktally-ask", NULL };
	char *environment[] = { (char *)(uintptr_t)ASK_VARIABLE "=1", NULL };

	execve(argument, arguments, environment);
	return 1;
}

/* Of code that a clock_gettime() can be in, at most; the image has several pages. */
#define LOOP_BYTES 1024

/* Started anew, each has it at an address of its own. */
TEST(a_file_in_every_process)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	struct ktally_setup setup;
	const char *content;
	uint32_t status = 0;
	struct stat found;
	int fd, i;

	ASSERT_NE(NULL, vdso);
	for (i = 0; i < 2; i++)
		processes[i] = start_child(execute, (void *)(uintptr_t)"/proc/self/exe");
	setup = files_setup(processes, 2);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_leaf;
	ASSERT_EQ(0, device_enable(session.fd));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, session_run_until(&session, &in_vdso[i], 100));

	/* The same code as addresses, less where it is mapped: it is but a short loop that is seen. */
	setup.capture = KTALLY_CAPTURE_USER;
	setup.pid_count = 1;
	ASSERT_TRUE(find_mapped_file(processes[0], "[vdso]", 0, &mapped));
	ASSERT_EQ(0, session_open(&by_address, &setup, true));
	by_address.on_record = note_address;
	ASSERT_EQ(0, device_enable(by_address.fd));
	ASSERT_EQ(0, session_run_until(&by_address, &seen_by_address, 100));
	EXPECT_GT(LOOP_BYTES, llabs((long long)(least - least_by_address)));
	session_close(&by_address);

	for (i = 0; i < 2; i++)
		stop_child(processes[i]);
	ASSERT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ju and %ju samples in the vdso, %ju at addresses", (uintmax_t)in_vdso[0], (uintmax_t)in_vdso[1],
	       (uintmax_t)at_address);
	/* While somebody else changes the mappings of a process, they cannot be looked at; nor, with PREEMPT_RT, in its first moment. */
	EXPECT_GT(in_vdso[0] + in_vdso[1], (is_realtime() ? 4 : 20) * at_address);

	fd = device_open_file(session.fd, vdso_file, path, &status);
	ASSERT_LE(0, fd);
	EXPECT_STREQ("[vdso]", path);
	EXPECT_EQ(0, status);
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	ASSERT_EQ(0, fstat(fd, &found));
	EXPECT_EQ((uint64_t)found.st_size, session_file(&session, vdso_file)->bytes);
	EXPECT_GT((uint64_t)found.st_size, most);
	EXPECT_LT(64, least);
	content = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, content);
	EXPECT_EQ(0, memcmp(content, vdso, (size_t)found.st_size));
	close(fd);
	session_close(&session);
}

#define ARCH_MAP_VDSO_32 0x2002

/* Instead of that of a 64-bit program, which this remains. 0 or 1. */
static int take_other_vdso(void)
{
	unsigned long begin[8], end[8];
	FILE *file = fopen("/proc/self/maps", "r");
	size_t count = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file) && count < ARRAY_SIZE(begin))
		if ((strstr(line, "[vdso]") || strstr(line, "[vvar")) &&
		    sscanf(line, "%lx-%lx", &begin[count], &end[count]) == 2)
			count++;
	while (count--)
		munmap((void *)begin[count], end[count] - begin[count]);
	return syscall(SYS_arch_prctl, ARCH_MAP_VDSO_32, 0x70000000UL) < 0;
}

/* Says how it went, and keeps its session. */
static int come_first(void *argument)
{
	const int *said = argument;
	struct ktally_setup setup = files_setup(NULL, 0);
	char how = (char)take_other_vdso();
	int fd = device_open();

	if (fd < 0 || device_setup(fd, &setup))
		how = 2;
	if (write(said[1], &how, 1) != 1)
		return 1;
	while (pause())
		continue;
	return 0;
}

/* Whoever sets a session up first, and whatever it has for its vdso, does not choose for all. */
TEST(the_first_does_not_choose)
{
	struct ktally_setup setup;
	int said[2];
	pid_t first;
	char how;

	ASSERT_EQ(0, pipe(said));
	first = start_child(come_first, said);
	ASSERT_EQ(1, read(said[0], &how, 1));
	if (how == 1)
		SKIP(stop_child(first); return, "no vdso of 32-bit programs here");
	ASSERT_EQ(0, how);
	processes[0] = start_child(execute, (void *)(uintptr_t)"/proc/self/exe");
	setup = files_setup(processes, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_leaf;
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(0, session_run_until(&session, &in_vdso[0], 100));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(processes[0]);
	stop_child(first);
}

/* Its mapping of the other image; false: there is none. */
static bool find_other_vdso(struct range *other)
{
	unsigned long begin, end;
	bool found = false;
	FILE *file = fopen("/proc/self/maps", "r");
	char line[256];

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &begin, &end) == 2;
	if (file)
		fclose(file);
	*other = (struct range) { begin, end };
	return found;
}

/* Calls a return instruction in it, again and again: any such byte is one, for a 64-bit program as well. Says how it went, and where. */
static int run_in_other_vdso(void *argument)
{
	const int *said = argument;
	struct range other = {};
	const unsigned char *at = NULL;

	if (!take_other_vdso() && find_other_vdso(&other))
		at = memchr((const void *)other.begin, 0xc3, other.end - other.begin);
	if (!at)
		other = (struct range) {};
	if (write(said[1], &other, sizeof(other)) != sizeof(other) || !at)
		return 1;
	for (;;)
		__asm__ volatile("call *%0" : : "r"(at) : "memory");
}

/* What a process has there that has another image is not that file. */
TEST(another_image_is_no_file)
{
	struct ktally_setup setup;
	struct range other;
	int said[2];

	ASSERT_EQ(0, pipe(said));
	processes[0] = start_child(run_in_other_vdso, said);
	ASSERT_EQ(sizeof(other), read(said[0], &other, sizeof(other)));
	if (!other.end)
		SKIP(stop_child(processes[0]); return, "no vdso of 32-bit programs here");
	mapped = (struct mapped) { .start = other.begin, .end = other.end };
	setup = files_setup(processes, 1);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_either;
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(0, session_run_until(&session, &there, 50));
	EXPECT_EQ(0, in_vdso[0]);
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(processes[0]);
}

/* Who does not ask for files gets addresses. */
TEST(only_with_files)
{
	struct ktally_setup setup;

	processes[0] = start_child(execute, (void *)(uintptr_t)"/proc/self/exe");
	setup = files_setup(processes, 1);
	setup.capture = KTALLY_CAPTURE_USER;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_leaf;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run_until(&session, &at_address, 100));
	stop_child(processes[0]);
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_EQ(0, in_vdso[0]);
	session_close(&session);
}

TEST_HARNESS_MAIN
