/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread for what is slow: waiting for disks, compressing. It runs jobs one after the other in the order in which they were given, at
 * the lowest priority. Whoever gives jobs has one thread; it learns by a descriptor that some are done, takes them back and never waits.
 * A job belongs to the worker from worker_add() until it is taken back or cancelled.
 */
#ifndef KTALLY_WORKER_H
#define KTALLY_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct worker_job {
	void (*run)(struct worker_job *job);	/* in the worker's thread */
	struct worker_job *next;		/* the worker's */
};

/* settle: called in the worker's thread when it has had nothing to do for a second after some jobs, and at its end; may be NULL. 0, or -errno. */
int worker_create(struct worker **worker, void (*settle)(void *context), void *context);

void worker_add(struct worker *worker, struct worker_job *job);
bool worker_cancel(struct worker *worker, struct worker_job *job);	/* true: it was not begun, and is the caller's again */
struct worker_job *worker_take(struct worker *worker);			/* one that is done, or NULL: no more, for now */
int worker_fd(const struct worker *worker);				/* readable when there is something to take */

/*
 * Ends the thread after the job that it is at, if that takes no longer than so many milliseconds. false: it hangs, on a disk that does not
 * answer; it, its job and what both need are left as they are.
 */
bool worker_destroy(struct worker *worker, uint64_t milliseconds);

#endif
