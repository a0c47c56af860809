// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "spool/worker.h"

#define JOBS 1000

struct job {
	struct worker_job job;
	int number;
	pthread_t thread;
	int priority;
};

static struct job jobs[JOBS];
static int order[JOBS], order_count, settled, begun;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void run(struct worker_job *job)
{
	struct job *own = (struct job *)job;

	order[order_count++] = own->number;
	own->thread = pthread_self();
	own->priority = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void wait_at_gate(struct worker_job *job)
{
	__atomic_store_n(&begun, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	run(job);
}

static void await_begin(void)
{
	while (!__atomic_exchange_n(&begun, 0, __ATOMIC_SEQ_CST))
		usleep(1000);
}

static void settle(void *context)
{
	__atomic_add_fetch((int *)context, 1, __ATOMIC_SEQ_CST);
}

static bool is_readable(const struct worker *worker, int milliseconds)
{
	struct pollfd pollfd = { .fd = worker_fd(worker), .events = POLLIN };

	return poll(&pollfd, 1, milliseconds) == 1;
}

static struct job *job(int number, void (*what)(struct worker_job *job))
{
	jobs[number] = (struct job){ .job = { .run = what }, .number = number };
	return &jobs[number];
}

/* As many as are wanted, or fewer after ten seconds. */
static int take(struct worker *worker, int wanted)
{
	int taken = 0;

	while (taken < wanted && is_readable(worker, 10000)) {
		while (worker_take(worker))
			taken++;
	}
	return taken;
}

static void in_order(struct worker *worker)
{
	int priority = getpriority(PRIO_PROCESS, 0);
	bool same = true;

	order_count = 0;
	check(!is_readable(worker, 0) && !worker_take(worker), "nothing to do, nothing done");
	for (int i = 0; i < JOBS; i++)
		worker_add(worker, &job(i, run)->job);
	check_number(take(worker, JOBS), JOBS, "all come back");
	for (int i = 0; i < JOBS; i++)
		same &= order[i] == i;
	check(same, "they were run in order");
	check(!is_readable(worker, 0), "no more is said to be done");
	check(!pthread_equal(jobs[0].thread, pthread_self()) && pthread_equal(jobs[0].thread, jobs[JOBS - 1].thread), "by one other thread");
	check_number(jobs[0].priority, 19, "of the lowest priority");
	check_number(getpriority(PRIO_PROCESS, 0), priority, "this one keeps its own");
}

static void cancelled(struct worker *worker)
{
	order_count = 0;
	pthread_mutex_lock(&gate);
	worker_add(worker, &job(0, wait_at_gate)->job);
	for (int i = 1; i <= 4; i++)
		worker_add(worker, &job(i, run)->job);
	await_begin();
	check(!worker_cancel(worker, &jobs[0].job), "what was begun cannot be cancelled");
	check(worker_cancel(worker, &jobs[2].job), "what was not can");
	check(!worker_cancel(worker, &jobs[2].job), "once");
	check(worker_cancel(worker, &jobs[4].job), "the last one");
	worker_add(worker, &job(5, run)->job);
	pthread_mutex_unlock(&gate);
	check_number(take(worker, 4), 4, "the others are run");
	check(order[0] == 0 && order[1] == 1 && order[2] == 3 && order[3] == 5 && order_count == 4, "in order");
	check(!worker_cancel(worker, &jobs[5].job), "what is done cannot be cancelled");
}

static void settles(void)
{
	struct worker *worker;

	check_number(worker_create(&worker, settle, &settled), 0, "another worker");
	usleep(1200000);
	check_number(__atomic_load_n(&settled, __ATOMIC_SEQ_CST), 0, "nothing to settle before the first job");
	worker_add(worker, &job(0, run)->job);
	take(worker, 1);
	check_number(__atomic_load_n(&settled, __ATOMIC_SEQ_CST), 0, "not at once after it");
	usleep(1500000);
	check_number(__atomic_load_n(&settled, __ATOMIC_SEQ_CST), 1, "but a second later");
	usleep(1200000);
	check_number(__atomic_load_n(&settled, __ATOMIC_SEQ_CST), 1, "once");
	worker_add(worker, &job(0, run)->job);
	take(worker, 1);
	check(worker_destroy(worker, 5000), "it ends");
	check_number(settled, 2, "and settles at its end");
}

static void hangs(void)
{
	struct timespec begin, end;
	struct worker *worker;

	worker_create(&worker, NULL, NULL);
	pthread_mutex_lock(&gate);
	worker_add(worker, &job(0, wait_at_gate)->job);
	await_begin();
	worker_add(worker, &job(1, run)->job);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	check(!worker_destroy(worker, 200), "one that hangs is left alone");
	clock_gettime(CLOCK_MONOTONIC, &end);
	check((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < 1000, "in time");
	/* It is left to this process's end, with its memory: reachable, so that the sanitizer does not mind. */
}

int main(void)
{
	struct worker *worker;

	check_number(worker_create(&worker, NULL, NULL), 0, "a worker");
	in_order(worker);
	cancelled(worker);
	check(worker_destroy(worker, 5000), "it ends when told");
	settles();
	hangs();
	return check_end();
}
