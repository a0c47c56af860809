// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The innermost function that says something is right: an inode's semaphore within a write to ext4 is a wait for the
 * task that has it, not for the disk. But what a page fault reads from where does not matter: nobody asked for it.
 */
#include <string.h>

#include <linux/ktally.h>

#include "base/map.h"
#include "classify/findings.h"
#include "classify/wait.h"
#include "classify/wait_rules.h"

/* Further out than that, user frames are of those who use locks and conditions, not of those who make them. */
#define USER_FRAMES_MOST	12

static const char *name_of(enum wait wait)
{
	static const char *const names[WAIT_COUNT] = {
		[WAIT_DISK] = "io/disk",
		[WAIT_NETWORK] = "io/network",
		[WAIT_PIPE] = "io/pipe",
		[WAIT_SOCKET] = "io/socket",
		[WAIT_DEVICE] = "io/other",
		[WAIT_FUTEX] = "lock/futex",
		[WAIT_RWSEM] = "lock/rwsem",
		[WAIT_MUTEX] = "lock/mutex",
		[WAIT_LOCK] = "lock/other",
		[WAIT_PAGE_FAULT] = "page fault",
		[WAIT_RUN_QUEUE] = WAIT_CAUSE_RUN_QUEUE,
		[WAIT_STOPPED] = "stopped",
		[WAIT_PAUSE] = "sleep",
		[WAIT_POLL] = "idle/poll",
		[WAIT_SLEEP] = "idle/sleep",
		[WAIT_PARKED] = "idle/futex",
		[WAIT_PROCESS] = "idle/process",
		[WAIT_KERNEL] = "idle/kernel",
		[WAIT_OTHER] = "other",
	};
	static const char *interned[WAIT_COUNT];

	if (!interned[wait])
		interned[wait] = intern(names[wait]);
	return interned[wait];
}

const char *wait_rule_name(enum wait wait)
{
	return intern(wait >= WAIT_DISK ? name_of(wait) : "(how threads wait)");
}

/* A finding is the number of the first rule, from 1; 0: none. */
static void take(void *context, unsigned int rule)
{
	unsigned int *finding = context;

	if (!*finding || rule + 1 < *finding)
		*finding = rule + 1;
}

static enum wait find(struct findings **findings, const struct wait_rules *rules, const char *name)
{
	const unsigned int *finding;

	if (!name)
		return WAIT_UNKNOWN;
	if (!*findings) {
		*findings = findings_create(sizeof(*finding), NULL, take);
		for (unsigned int i = 0; rules[i].patterns; i++)
			findings_add(*findings, rules[i].patterns, i);
	}
	finding = findings_of(*findings, name);
	return *finding ? rules[*finding - 1].says : WAIT_UNKNOWN;
}

/* Of the i-th kernel frame. */
static enum wait said_by(const struct stack *stack, unsigned int i)
{
	static struct findings *findings;

	return find(&findings, wait_kernel_rules, stack->frames[i].function);
}

/*
 * Does a thread of the kernel wait in its outermost function? That is where they have the loops in which they wait for
 * work; what they do then is in functions of its own. There are hundreds of such threads, all drivers have some.
 */
static bool is_idle_thread(const struct stack *stack)
{
	unsigned int i = 0;

	for (; i < stack->kernel_frames; i++) {
		enum wait said = said_by(stack, i);

		if (said != WAIT_SCHEDULE && said != WAIT_COMPLETION && said != WAIT_PAUSE)
			break;
	}
	return i > 0 && i + 1 < stack->kernel_frames && said_by(stack, i + 1) == WAIT_THREAD;
}

/* Is there a page fault further out than the i-th kernel frame? */
static bool is_within_fault(const struct stack *stack, unsigned int i)
{
	while (++i < stack->kernel_frames) {
		if (said_by(stack, i) == WAIT_FAULT)
			return true;
	}
	return false;
}

/* The kernel cannot tell a lock from a condition, functions around the call can: unless one does, it is a lock. */
static enum wait futex_by_user_frames(const struct stack *stack)
{
	static struct findings *findings;
	enum wait wait = WAIT_UNKNOWN;

	for (unsigned int i = 0; i < stack->user_frames && i < USER_FRAMES_MOST; i++) {
		enum wait said = find(&findings, wait_user_rules, stack->frames[stack->kernel_frames + i].function);

		if (said == WAIT_FUTEX)
			return said;
		if (said != WAIT_UNKNOWN)
			wait = said;
	}
	return wait;
}

/* What it comes to if nothing further out knows better. */
static enum wait weak(enum wait said)
{
	switch (said) {
	case WAIT_COMPLETION:
		return WAIT_LOCK;
	case WAIT_FILE:
		return WAIT_DEVICE;
	case WAIT_PAGES:
		return WAIT_DISK;
	default:
		return WAIT_UNKNOWN;
	}
}

static enum wait wait_of(const struct stack *stack)
{
	enum wait best = WAIT_UNKNOWN;

	if (!stack->kernel_frames)
		return futex_by_user_frames(stack);
	if (is_idle_thread(stack))
		return WAIT_KERNEL;
	for (unsigned int i = 0; i < stack->kernel_frames; i++) {
		enum wait said = said_by(stack, i);

		switch (said) {
		case WAIT_UNKNOWN:
		case WAIT_SCHEDULE:
		case WAIT_THREAD:
			break;
		case WAIT_COMPLETION:
		case WAIT_FILE:
		case WAIT_PAGES:
			best = said > best ? said : best;
			break;
		case WAIT_BORDER:
			return weak(best);
		case WAIT_FAULT:
			return WAIT_PAGE_FAULT;
		case WAIT_FUTEX_CALL:
			return futex_by_user_frames(stack) == WAIT_PARKED ? WAIT_PARKED : WAIT_FUTEX;
		case WAIT_DISK:
		case WAIT_NETWORK:
		case WAIT_DEVICE:
		case WAIT_PAUSE:
			return is_within_fault(stack, i) ? WAIT_PAGE_FAULT : said;
		default:
			return said;
		}
	}
	return weak(best);
}

const char *wait_cause_of_stack(const struct stack *stack)
{
	enum wait wait = wait_of(stack);

	return wait == WAIT_UNKNOWN ? NULL : name_of(wait);
}

const char *wait_cause(const char *of_stack, uint32_t state, const char *syscall_name)
{
	static struct findings *findings;
	enum wait wait;

	switch (state) {
	case KTALLY_OFFCPU_STOPPED:
		return name_of(WAIT_STOPPED);
	case KTALLY_OFFCPU_PREEMPTED:
	case KTALLY_OFFCPU_YIELDED:
	case KTALLY_OFFCPU_CREATED:
		return name_of(WAIT_RUN_QUEUE);
	}
	if (of_stack)
		return of_stack;
	wait = find(&findings, wait_syscall_rules, syscall_name);
	if (wait == WAIT_UNKNOWN)
		wait = state == KTALLY_OFFCPU_IOWAIT || state == KTALLY_OFFCPU_DISK ? WAIT_DISK : WAIT_OTHER;
	return name_of(wait);
}

bool wait_is_idle(const char *cause)
{
	return !strncmp(cause, "idle/", strlen("idle/"));
}
