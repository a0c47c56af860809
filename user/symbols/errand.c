// SPDX-License-Identifier: GPL-2.0-or-later
#include <time.h>

#include "symbols/errand.h"

#define SECOND		1000000000ULL
#define LATE_AFTER	(2 * SECOND)

/* Whoever comes second finds what the first one left. */
enum { UNDER_WAY, DONE, ABANDONED };

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

bool errand_ask(const struct errands *errands, struct errand *errand)
{
	errand->since = now();
	errand->state = UNDER_WAY;
	errand->undone = false;
	if (errands->give) {
		errands->give(errands->context, errand);
	} else {
		errand->run(errand);
		errand_end(errand);
	}
	return errand_is_done(errand);
}

bool errand_is_done(const struct errand *errand)
{
	return __atomic_load_n(&errand->state, __ATOMIC_ACQUIRE) == DONE;
}

bool errand_is_late(const struct errand *errand)
{
	return now() - errand->since > LATE_AFTER;
}

void errand_abandon(struct errand *errand)
{
	if (errand && __atomic_exchange_n(&errand->state, ABANDONED, __ATOMIC_ACQ_REL) == DONE)
		errand->discard(errand);
}

void errand_end(struct errand *errand)
{
	if (__atomic_exchange_n(&errand->state, DONE, __ATOMIC_ACQ_REL) == ABANDONED)
		errand->discard(errand);
}
