// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "spool/worker.h"

#define SETTLE_SECONDS 1

struct jobs {
	struct worker_job *first, **last;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t mutex;		/* of all below */
	pthread_cond_t changed;		/* there is more to do, or the end of it */
	struct jobs waiting, done;
	bool ending, ended, unsettled;
	int event;
	void (*settle)(void *context);
	void *context;
};

static void append(struct jobs *jobs, struct worker_job *job)
{
	job->next = NULL;
	*jobs->last = job;
	jobs->last = &job->next;
}

static struct worker_job *take_first(struct jobs *jobs)
{
	struct worker_job *job = jobs->first;

	if (job) {
		jobs->first = job->next;
		if (!job->next)
			jobs->last = &jobs->first;
	}
	return job;
}

/* ---- the thread ---- */

static struct timespec in(uint64_t milliseconds)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += (time_t)(milliseconds / 1000);
	time.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

/* With the mutex held, as it is again at the end. */
static void call_settle(struct worker *worker)
{
	worker->unsettled = false;
	if (!worker->settle)
		return;
	pthread_mutex_unlock(&worker->mutex);
	worker->settle(worker->context);
	pthread_mutex_lock(&worker->mutex);
}

/* The next job; NULL: the end. With the mutex held. */
static struct worker_job *await_job(struct worker *worker)
{
	while (!worker->waiting.first && !worker->ending) {
		struct timespec until = in(SETTLE_SECONDS * 1000);

		if (!worker->unsettled)
			pthread_cond_wait(&worker->changed, &worker->mutex);
		else if (pthread_cond_timedwait(&worker->changed, &worker->mutex, &until) == ETIMEDOUT)
			call_settle(worker);
	}
	return worker->ending ? NULL : take_first(&worker->waiting);
}

static void tell(struct worker *worker)
{
	uint64_t one = 1;
	ssize_t written = write(worker->event, &one, sizeof(one));

	(void)written;			/* it fails only when it is readable anyway */
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct worker_job *job;

	/* Of this thread alone. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	pthread_mutex_lock(&worker->mutex);
	while ((job = await_job(worker))) {
		worker->unsettled = true;
		pthread_mutex_unlock(&worker->mutex);
		job->run(job);
		pthread_mutex_lock(&worker->mutex);
		append(&worker->done, job);
		tell(worker);
	}
	if (worker->unsettled)
		call_settle(worker);
	worker->ended = true;
	pthread_cond_signal(&worker->changed);
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

/* ---- whoever gives it jobs ---- */

static int start(struct worker *worker)
{
	sigset_t all, former;
	int error;

	/* Signals are for the thread that created it. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &former);
	error = -pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	if (!error)
		pthread_setname_np(worker->thread, "ktally-worker");
	return error;
}

int worker_create(struct worker **result, void (*settle)(void *context), void *context)
{
	struct worker *worker = memory_zeroed(1, sizeof(*worker));
	pthread_condattr_t attributes;
	int error = 0;

	worker->waiting.last = &worker->waiting.first;
	worker->done.last = &worker->done.first;
	worker->settle = settle;
	worker->context = context;
	worker->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->event < 0)
		error = -errno;
	pthread_mutex_init(&worker->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (!error)
		error = start(worker);
	if (error) {
		if (worker->event >= 0)
			close(worker->event);
		free(worker);
		return error;
	}
	*result = worker;
	return 0;
}

void worker_add(struct worker *worker, struct worker_job *job)
{
	pthread_mutex_lock(&worker->mutex);
	append(&worker->waiting, job);
	pthread_cond_signal(&worker->changed);
	pthread_mutex_unlock(&worker->mutex);
}

bool worker_cancel(struct worker *worker, struct worker_job *job)
{
	struct worker_job **place;
	bool found;

	pthread_mutex_lock(&worker->mutex);
	place = &worker->waiting.first;
	while (*place && *place != job)
		place = &(*place)->next;
	found = *place;
	if (found) {
		*place = job->next;
		if (worker->waiting.last == &job->next)
			worker->waiting.last = place;
	}
	pthread_mutex_unlock(&worker->mutex);
	return found;
}

struct worker_job *worker_take(struct worker *worker)
{
	struct worker_job *job;
	uint64_t count;

	pthread_mutex_lock(&worker->mutex);
	job = take_first(&worker->done);
	/* Not readable any more, with nothing left; the worker tells again after the next one. */
	if (!job && read(worker->event, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_unlock(&worker->mutex);
	return job;
}

int worker_fd(const struct worker *worker)
{
	return worker->event;
}

bool worker_destroy(struct worker *worker, uint64_t milliseconds)
{
	struct timespec until = in(milliseconds);
	int error = 0;
	bool ended;

	pthread_mutex_lock(&worker->mutex);
	worker->ending = true;
	pthread_cond_signal(&worker->changed);
	while (!worker->ended && !error)
		error = pthread_cond_timedwait(&worker->changed, &worker->mutex, &until);
	ended = worker->ended;
	pthread_mutex_unlock(&worker->mutex);
	if (!ended) {
		pthread_detach(worker->thread);
		return false;
	}
	pthread_join(worker->thread, NULL);
	close(worker->event);
	pthread_mutex_destroy(&worker->mutex);
	pthread_cond_destroy(&worker->changed);
	free(worker);
	return true;
}
