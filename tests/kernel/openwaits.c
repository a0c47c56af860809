// SPDX-License-Identifier: GPL-2.0
/*
 * A wait that goes on is seen while it goes on, with its stacks, from the first flush; once; and its end replaces it. Who ends a wait
 * is known.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;

/* ---- a read that is never answered ---- */

struct reader {
	int pipe[2];
	struct range here;
	pid_t child;
};

static struct reader *reader;

static __attribute__((noinline)) void wait_for_answer(void)
{
	long result;
	char byte;

	/* Without the library's stub between, which has no frame pointer. */
	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(SYS_read), "D"(reader->pipe[0]), "S"(&byte), "d"(1) : "rcx", "r11", "memory");
}

static int run_reader(void *argument)
{
	(void)argument;
	for (;;)
		wait_for_answer();
	return 0;
}

struct seen {
	unsigned int open, ended;
	struct ktally_offcpu last_open, last_end;
};

static struct seen seen;

static void take(struct session *from, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;

	if (record->type != KTALLY_RECORD_OFFCPU || session_task(from, wait->task_id)->pid != (uint32_t)reader->child)
		return;
	/* On a busy host it also waits for the CPU. */
	if (wait->state >= KTALLY_OFFCPU_PREEMPTED)
		return;
	if (record->flags & KTALLY_OFFCPU_PARTIAL) {
		seen.open++;
		seen.last_open = *wait;
	} else {
		seen.ended++;
		seen.last_end = *wait;
	}
}

static void start_reader(struct __test_metadata *_metadata, uint32_t capture)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | capture,
		.keep_ns = 1000000,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};

	memset(&seen, 0, sizeof(seen));
	reader = mmap(NULL, sizeof(*reader), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, pipe(reader->pipe));
	reader->child = start_child(run_reader, NULL);
	sleep_seconds(0.5);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = take;
	ASSERT_EQ(0, device_enable(session.fd));
}

static void flush(struct __test_metadata *_metadata, uint32_t flags)
{
	ASSERT_EQ(0, device_flush(session.fd, flags));
	ASSERT_LE(0, session_drain(&session));
	ASSERT_STREQ("", session.error);
}

/* It was waiting before the session began. */
TEST(a_hang_is_seen_from_outside)
{
	const struct ktally_stack *stack;
	struct ktally_offcpu first;
	uint64_t began, leaf;

	start_reader(_metadata, 0);
	began = now_ns();
	sleep_seconds(0.1);
	flush(_metadata, 0);
	ASSERT_EQ(1, seen.open);
	EXPECT_EQ(KTALLY_OFFCPU_SLEEP, seen.last_open.state);
	EXPECT_EQ(SYS_read, seen.last_open.syscall);
	EXPECT_EQ(0, seen.last_open.run_queue);
	/* It counts from the beginning of the session. */
	EXPECT_LE(seen.last_open.start, began);
	EXPECT_GE(seen.last_open.start, session.begin);
	stack = session_stack(&session, seen.last_open.stack_id);
	EXPECT_EQ(KTALLY_END_COMPLETE, stack->kernel_end);
	EXPECT_GE(stack->kernel_frames, 4);
	ASSERT_GE(stack->user_frames, 2);
	leaf = stack->frames[stack->kernel_frames] & KTALLY_FRAME_VALUE_MASK;
	EXPECT_GE(leaf, (uint64_t)(uintptr_t)wait_for_answer);
	EXPECT_LT(leaf, (uint64_t)(uintptr_t)wait_for_answer + 200);

	/* Told once, but for who asks for all again. */
	flush(_metadata, 0);
	EXPECT_EQ(1, seen.open);
	flush(_metadata, KTALLY_FLUSH_RESEND);
	EXPECT_EQ(2, seen.open);
	EXPECT_EQ(0, seen.ended);
	first = seen.last_open;

	/* Its end says where it began; its stack is the same from inside. */
	ASSERT_EQ(1, write(reader->pipe[1], "", 1));
	ASSERT_EQ(0, session_run(&session, 0.3));
	flush(_metadata, 0);
	ASSERT_EQ(1, seen.ended);
	EXPECT_EQ(first.start, seen.last_end.start);
	EXPECT_GE(seen.last_end.time, first.time);
	EXPECT_EQ(seen.last_end.weight, seen.last_end.time - seen.last_end.start);
	EXPECT_EQ(first.stack_id, seen.last_end.stack_id);
	EXPECT_EQ(first.task_id, seen.last_end.task_id);

	/* The next wait is another. */
	ASSERT_EQ(3, seen.open);
	EXPECT_GE(seen.last_open.start, seen.last_end.time);
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	ASSERT_STREQ("", session.error);
	stop_child(reader->child);
	session_close(&session);
}

TEST(a_stopped_task_is_seen)
{
	start_reader(_metadata, 0);
	ASSERT_EQ(0, kill(reader->child, SIGSTOP));
	sleep_seconds(0.2);
	flush(_metadata, 0);
	ASSERT_EQ(1, seen.open);
	EXPECT_EQ(KTALLY_OFFCPU_STOPPED, seen.last_open.state);
	stop_child(reader->child);
	session_close(&session);
}

/* An end that D would now drop comes all the same: the reader counts on it. */
TEST(a_wait_that_was_told_is_ended)
{
	start_reader(_metadata, 0);
	sleep_seconds(0.1);
	flush(_metadata, 0);
	ASSERT_EQ(1, seen.open);
	ASSERT_EQ(0, device_set_keep(session.fd, KTALLY_KEEP_NS_MAX, KTALLY_KEEP_NS_MAX));
	ASSERT_EQ(1, write(reader->pipe[1], "", 1));
	ASSERT_EQ(0, session_run(&session, 0.3));
	flush(_metadata, 0);
	EXPECT_EQ(1, seen.ended);
	EXPECT_EQ(seen.last_end.weight, seen.last_end.time - seen.last_end.start);
	stop_child(reader->child);
	session_close(&session);
}

static __attribute__((noinline)) void answer(void)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(SYS_write), "D"(reader->pipe[1]), "S"(""), "d"(1) : "rcx", "r11", "memory");
}

TEST(the_waker_is_known)
{
	const struct ktally_stack *stack;
	const struct ktally_task *waker;
	uint64_t leaf;

	start_reader(_metadata, KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_WAKER_STACK);
	sleep_seconds(0.1);
	answer();
	ASSERT_EQ(0, session_run(&session, 0.3));
	flush(_metadata, 0);
	ASSERT_EQ(1, seen.ended);
	EXPECT_EQ(0, seen.last_end.header.flags & KTALLY_OFFCPU_INTERRUPT);
	ASSERT_NE(0, seen.last_end.waker_task_id);
	waker = session_task(&session, seen.last_end.waker_task_id);
	ASSERT_NE(NULL, waker);
	EXPECT_EQ((uint32_t)getpid(), waker->pid);
	ASSERT_NE(0, seen.last_end.waker_stack_id);
	stack = session_stack(&session, seen.last_end.waker_stack_id);
	ASSERT_NE(NULL, stack);
	EXPECT_EQ(KTALLY_END_COMPLETE, stack->kernel_end);
	EXPECT_GE(stack->kernel_frames, 4);
	ASSERT_GE(stack->user_frames, 2);
	leaf = stack->frames[stack->kernel_frames] & KTALLY_FRAME_VALUE_MASK;
	EXPECT_GE(leaf, (uint64_t)(uintptr_t)answer);
	EXPECT_LT(leaf, (uint64_t)(uintptr_t)answer + 200);
	stop_child(reader->child);
	session_close(&session);
}

static int run_sleeper(void *argument)
{
	(void)argument;
	for (;;)
		sleep_seconds(0.02);
	return 0;
}

/* A timer wakes; whoever it interrupted has nothing to do with it. */
TEST(an_interrupt_is_no_waker)
{
	pid_t spinner = start_spinner(0), other = start_spinner(other_cpu());

	start_reader(_metadata, KTALLY_CAPTURE_WAKER);
	stop_child(reader->child);
	reader->child = start_child(run_sleeper, NULL);
	ASSERT_EQ(0, session_run(&session, 1));
	flush(_metadata, 0);
	ASSERT_LT(3, seen.ended);
	EXPECT_NE(0, seen.last_end.header.flags & KTALLY_OFFCPU_INTERRUPT);
	EXPECT_EQ(0, seen.last_end.waker_task_id);
	stop_child(reader->child);
	stop_child(spinner);
	stop_child(other);
	session_close(&session);
}

TEST_HARNESS_MAIN
