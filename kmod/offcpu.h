/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Off-CPU: the waits of tasks, from the scheduler's switches.
 *
 * Where a task leaves the CPU only the time and its state are stored. Where it comes back the wait
 * is known, and most are dropped there. For one that is kept an irq_work is queued on the CPU: it
 * fires as soon as the scheduler turns interrupts on, in the task that has come back, before that
 * has done anything. So its kernel stack is still the one it waited on, its user registers are at
 * hand, and all that costs is off the scheduler's locks.
 */
#ifndef KTALLY_OFFCPU_H
#define KTALLY_OFFCPU_H

#include <linux/irq_work.h>
#include <linux/ktally.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "budget.h"
#include "stack.h"
#include "waits.h"

struct ktally_cpu;
struct ktally_session;
struct ktally_story;
struct task_struct;

/**
 * struct ktally_kept - a wait that becomes a record
 * @task: whose, to be compared only: it may be gone; NULL: the place is free
 * @switched_from: its stack pointer when it was switched from
 * @left: as in struct ktally_wait
 * @record: times, weight, waker
 * @flags: KTALLY_OFFCPU_*
 */
struct ktally_kept {
	struct task_struct *task;
	unsigned long switched_from;
	u32 left;
	u16 flags;
	struct ktally_offcpu record;
};

/**
 * struct ktally_offcpu_cpu - a CPU's part
 * @kept: the wait that @work is about
 * @work: makes a record of it
 * @stack: of the task that waited, or of a waker: interrupts are off for both
 * @budget: time spent
 * @running: the last to be switched to, if it is in the table of waits, else NULL; to be compared only
 * @running_wait: its place there
 * @careful: switches that went the long way
 * @careful_charged: how many of these were charged to @budget
 * @switch_ns: how long such a one takes, on average
 * @waits_charged: how many of @waits were
 * @waits: as in the producer's page
 * @waits_short: as in the producer's page
 * @clock_regressions: as in the producer's page
 */
struct ktally_offcpu_cpu {
	struct ktally_kept kept;
	struct irq_work work;
	struct ktally_stack_buffer stack;
	struct ktally_budget budget;
	const struct task_struct *running;
	struct ktally_wait *running_wait;
	u32 careful;
	u32 careful_charged;
	u32 switch_ns;
	u64 waits_charged;
	u64 waits;
	struct ktally_loss waits_short;
	u64 clock_regressions;
};

/**
 * struct ktally_offcpu_session - a session's part
 * @waits: of its threads
 * @keep_ns: as in struct ktally_setup, now
 * @wait_min_ns: as in struct ktally_setup, now
 * @everybody: no task is left out, by filter or by rights
 * @wakers: KTALLY_CAPTURE_WAKER
 * @epoch: when it began to look (local_clock()), 0: not yet; waits of before count from there
 * @epoch_time: the same by CLOCK_MONOTONIC
 * @tell: tells open waits
 * @tell_again: those told already as well
 * @story: what it works with, while it is at it
 * @started: probes are registered
 */
struct ktally_offcpu_session {
	struct ktally_waits waits;
	u64 keep_ns;
	u64 wait_min_ns;
	bool everybody;
	bool wakers;
	u64 epoch;
	u64 epoch_time;
	struct work_struct tell;
	bool tell_again;
	struct ktally_story *story;
	bool started;
};

int ktally_offcpu_init(void);

/* With the session's SETUP and end; its CPUs' parts. */
int ktally_offcpu_set_up(struct ktally_session *session);
void ktally_offcpu_release(struct ktally_session *session);
void ktally_offcpu_cpu_init(struct ktally_cpu *cpu);

/* KTALLY_LEFT_IOWAIT or 0. */
static inline u32 ktally_left_in_iowait(const struct task_struct *task)
{
	/* A bit of a word in which the task changes others, and may have been interrupted at that. */
	return data_race(task->in_iowait ? KTALLY_LEFT_IOWAIT : 0);
}

/* When stop returns, no probe is running and no kept wait is under way. */
int ktally_offcpu_start(struct ktally_session *session);
void ktally_offcpu_stop(struct ktally_session *session);

/* On the CPU, interrupts off: the budget is charged for the switches since it last was. */
void ktally_offcpu_charge_switches(struct ktally_offcpu_cpu *part);

/* The CPU is about to go offline: its last kept wait is written. */
void ktally_offcpu_settle(struct ktally_cpu *cpu);

/*
 * When a wait began that has @start in its struct ktally_wait, by local_clock(). One of before the
 * session, that ends while the session begins, has no length yet.
 */
static inline u64 ktally_offcpu_began(const struct ktally_offcpu_session *session, u64 start)
{
	if (unlikely((start & ~KTALLY_WAIT_TOLD) == KTALLY_WAIT_BEFORE))
		return READ_ONCE(session->epoch) ?: local_clock();
	return start & ~KTALLY_WAIT_TOLD;
}

/* Whether a wait that began at @start and has lasted @took by now is kept, however long it lasts. */
bool ktally_offcpu_is_sure(const struct ktally_cpu *cpu, const struct ktally_wait *wait, u64 start, u64 took);

/* Why a task that left the CPU like this waited: KTALLY_OFFCPU_SLEEP and following. */
u32 ktally_offcpu_state(u32 left, s32 syscall);

#endif /* KTALLY_OFFCPU_H */
