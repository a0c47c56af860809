/* SPDX-License-Identifier: GPL-2.0 */
/* A thread's own account of its time, and what a session's records say of the same time. */
#ifndef KTALLY_TEST_ACCOUNT_H
#define KTALLY_TEST_ACCOUNT_H

#include <stdint.h>

#include <linux/ktally.h>

/**
 * struct account - of a thread, in memory that it shares with the test
 * @tid: thread id, 0: not begun
 * @begin: CLOCK_MONOTONIC
 * @end: CLOCK_MONOTONIC, 0: not ended
 * @cpu: CPU time between
 * @delay: time on the run queue, as the scheduler says
 * @seen: time waited, by state
 * @blocked: as the records say
 * @run_queue: as the records say
 * @weight: as the records say
 * @waits: number of records
 */
struct account {
	uint32_t tid;
	uint64_t begin;
	uint64_t end;
	uint64_t cpu;
	uint64_t delay;
	uint64_t seen[KTALLY_OFFCPU_CREATED + 1];
	uint64_t blocked;
	uint64_t run_queue;
	uint64_t weight;
	uint64_t waits;
};

/* The calling thread's. */
void account_begin(struct account *account);
void account_end(struct account *account);
/* Adds the wait if it has ended, is the thread's, and is within its time. */
void account_take(struct account *account, const struct ktally_task *task, const struct ktally_offcpu *wait);
uint64_t account_wall(const struct account *account);
/* By what share of wall time CPU time and waits together are more than that. */
double account_error(const struct account *account);

#endif /* KTALLY_TEST_ACCOUNT_H */
