/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads of the loader, WORKERS_MOST at most, and what they do. They are called when there is something to do, and stay. */
#ifndef KTALLY_WORKERS_H
#define KTALLY_WORKERS_H

#include <pthread.h>

#include "session/jobs.h"
#include "session/reading.h"

#define DOWNLOAD_KEY	(1ULL << 32)
#define ERRAND_KEY	(1ULL << 63)	/* with the job's number */

/* The lock is for all of it, but a worker alone touches a job that it is at. */
struct loader {
	struct reading reading;		/* guards itself */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct jobs to_do;
	struct map jobs;		/* number, with DOWNLOAD_KEY for a download -> struct job, until it is taken; those of errands: */
	pthread_t threads[WORKERS_MOST];
	unsigned int workers, running, idle;	/* that were started, have not ended, wait for work */
	uint64_t hung;			/* see struct loader_statistics */
	uint64_t no_patience_before;	/* an errand was waited for in vain */
	bool stopping;
};

/* With the lock held: somebody is there for what may be begun. 0; -errno: there is no first thread to be had. */
int workers_call(struct loader *loader);

/* Without. They end what they are at. False: one is late, and keeps the loader to the end of the process. */
bool workers_end(struct loader *loader);

void workers_close_file(struct job *job);

#endif
