/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The waits of a session: for each thread that it follows, when and how the thread left the CPU. By
 * thread and not by CPU, since a thread often runs again elsewhere.
 *
 * A table of fixed size: nothing is allocated where tasks are switched. A thread's place is in one
 * of two buckets, each a cache line of eight keys, and is found by comparing them. A thread's wait
 * is only ever touched where that thread is switched (out, in, its last time), which never happens
 * twice at once; different threads compete for free places by cmpxchg.
 *
 * A key is a reference to its task. So a key that is in the table is never that of a freed task, nor
 * of another task at the same address, whatever was missed of the task's life: a key can be out of
 * date only in that its task is dead. Nothing depends on seeing every death:
 *
 *   - usually the probe takes a task out where that is switched out for the last time. The reference
 *     is never the last one there, as the scheduler still holds its own;
 *   - a death that no probe saw (before the probes were registered, on a CPU without a ring)
 *     leaves a task that is dead and off the CPU, which no switch can touch again:
 *     ktally_waits_remove_dead() takes it out, at ENABLE once the probes are there, and at each FLUSH;
 *   - when the probes are gone, ktally_waits_clear() takes out all.
 *
 * The last two may free the task. They and whoever follows a key from outside exclude each other by
 * session->lock; against the probe such a reader is covered by RCU, which a task that ends outlives.
 */
#ifndef KTALLY_WAITS_H
#define KTALLY_WAITS_H

#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/types.h>

struct task_struct;

#define KTALLY_WAITS_WAYS 8

/* What ktally_wait.left says besides the bits of the task's state. */
#define KTALLY_LEFT_PREEMPTED	(1U << 31)
#define KTALLY_LEFT_IOWAIT	(1U << 30)

/*
 * ktally_wait.start: the lowest bit says that the wait was told as an open one. It is part of the
 * time, so that it can only ever be set for the wait that it is about.
 */
#define KTALLY_WAIT_TOLD	1ULL
/* Of a thread that was waiting already when the session began to look: by a clock it would be yet to come. */
#define KTALLY_WAIT_BEFORE	(1ULL << 63)

/**
 * struct ktally_wait - of one thread
 * @start: when it left the CPU (local_clock(), the cheapest there is), 0: it runs, KTALLY_WAIT_BEFORE
 * @run_delay: its sched_info.run_delay at that time
 * @left: the state it left in, and KTALLY_LEFT_*
 * @waker_task_id: as in the record
 * @waker_stack_id: as in the record
 * @told_start: with KTALLY_WAIT_TOLD, its beginning as it was told (CLOCK_MONOTONIC)
 * @ended_by_interrupt: KTALLY_OFFCPU_INTERRUPT
 *
 * Each in a cache line of its own.
 */
struct ktally_wait {
	u64 start;
	u64 run_delay;
	u32 left;
	bool ended_by_interrupt;
	u64 waker_task_id;
	u64 waker_stack_id;
	u64 told_start;
} __aligned(64);

/**
 * struct ktally_waits - those of a session
 * @keys: of each bucket
 * @waits: by place
 * @bits: logarithm of the number of buckets
 */
struct ktally_waits {
	struct task_struct *(*keys)[KTALLY_WAITS_WAYS];
	struct ktally_wait *waits;
	unsigned int bits;
};

/* Process context. @threads is rounded up to a power of two. */
int ktally_waits_init(struct ktally_waits *waits, u32 threads);
void ktally_waits_destroy(struct ktally_waits *waits);
u64 ktally_waits_bytes(u32 threads);
/* Process context; nobody else uses it meanwhile. */
void ktally_waits_clear(struct ktally_waits *waits);

/* A thread's two buckets by one multiplication: its highest bits, and the next. */
static inline u64 ktally_waits_bucket(const struct ktally_waits *waits, const struct task_struct *task, bool second)
{
	u64 hash = (u64)task * GOLDEN_RATIO_64;

	return (second ? hash << waits->bits : hash) >> (64 - waits->bits);
}

static inline struct ktally_wait *ktally_waits_find_in(const struct ktally_waits *waits, u64 bucket,
						       const struct task_struct *task)
{
	struct task_struct **key = waits->keys[bucket], **end = key + KTALLY_WAITS_WAYS;

	do {
		if (READ_ONCE(*key) == task)
			return &waits->waits[key - *waits->keys];
	} while (++key < end);
	return NULL;
}

/* Where the task is switched, or woken: see above. NULL: it has none. */
static inline struct ktally_wait *ktally_waits_find(const struct ktally_waits *waits, const struct task_struct *task)
{
	struct ktally_wait *wait = ktally_waits_find_in(waits, ktally_waits_bucket(waits, task, false), task);

	return likely(wait) ? wait : ktally_waits_find_in(waits, ktally_waits_bucket(waits, task, true), task);
}

/* One that is not there, which nobody else adds meanwhile. NULL: both buckets are full. */
struct ktally_wait *ktally_waits_add(struct ktally_waits *waits, struct task_struct *task);

/* Where the task is switched out for the last time. */
void ktally_waits_remove(struct ktally_waits *waits, struct task_struct *task);

/*
 * Process context, with the session's lock held, for those who look at all: the places are
 * 0 ... ktally_waits_places() - 1.
 */
u32 ktally_waits_places(const struct ktally_waits *waits);

/* A reference of one's own to the task that has the place; NULL: none has. And whether it still has it. */
struct task_struct *ktally_waits_get_task(const struct ktally_waits *waits, u32 place);
bool ktally_waits_has(const struct ktally_waits *waits, u32 place, const struct task_struct *task);

/* Takes the task out of its place if its last switch is over. */
bool ktally_waits_remove_dead(struct ktally_waits *waits, u32 place, struct task_struct *task);

static inline struct ktally_wait *ktally_waits_at(const struct ktally_waits *waits, u32 place)
{
	return &waits->waits[place];
}

#endif /* KTALLY_WAITS_H */
