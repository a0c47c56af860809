// SPDX-License-Identifier: GPL-2.0-or-later
/* session/jobs.h: whose file is read next, by the clock of this test. */
#include <string.h>

#include "base/message.h"
#include "check.h"
#include "session/jobs.h"

#define MS	1000000ULL
#define ROOT	0

static struct jobs jobs;
static uint64_t now = 1000000 * MS;

/* Opened, and waiting to be read. */
static struct job *opened(uint32_t user)
{
	struct job *job = memory_zeroed(1, sizeof(*job));

	job->loaded.file.identity.device_minor = 5;
	job->fd = 1000;
	jobs_add(&jobs, job);
	if (jobs_begin(&jobs, now) != job || !jobs_opened(&jobs, job, user))
		return NULL;
	jobs_end(&jobs, job, now);
	job->task = READ;
	jobs_add(&jobs, job);
	return job;
}

/* The next that is read, which takes so long; whose it is. */
static long long read_next(uint64_t milliseconds)
{
	struct job *job = jobs_begin(&jobs, now);
	long long user;

	if (!job)
		return -1;
	user = job->owner;
	now += milliseconds * MS;
	jobs_end(&jobs, job, now);
	free(job);
	return user;
}

static void in_turn(void)
{
	for (unsigned int i = 0; i < 10; i++)
		opened(1000);
	check_number(read_next(100), 1000, "one's file is read");
	opened(ROOT);
	opened(ROOT);
	check_number(read_next(100), 1000, "another one is new, so one more of the first one's is");
	check_number(read_next(10), ROOT, "and then the other one's");
	check_number(read_next(10), ROOT, "and the next of his, as he had less");
	check_number(read_next(100), 1000, "when he has no more it goes on");
	while (read_next(1) >= 0)
		;
}

/* Whoever may have as many users as he likes has each one's file read before one of who had some time already, but for: */
static void new_ones(void)
{
	unsigned int before = 0;

	now += 60000 * MS;
	/* The first begins a window. */
	opened(ROOT);
	opened(ROOT);
	check(read_next(10) == ROOT && read_next(10) == ROOT, "one has had some time");
	for (uint32_t user = 1; user <= 40; user++)
		opened(2000 + user);
	opened(ROOT);
	for (uint32_t user = 1; user <= 40; user++)
		opened(3000 + user);
	for (; before < 81 && read_next(100) != ROOT; before++)
		opened(4000 + before);
	check(before <= 40, "his next file waits for those that came before it, %u, and for none of the new ones that came since", before);
	while (read_next(1) >= 0)
		;
}

int main(void)
{
	in_turn();
	new_ones();
	jobs_free(&jobs);
	return check_end();
}
