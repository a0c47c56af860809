/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Uses so much CPU time, in the function that says so. */
#ifndef KTALLY_TEST_SPIN_H
#define KTALLY_TEST_SPIN_H

#include <time.h>

static inline __attribute__((always_inline)) double spin_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline __attribute__((always_inline)) void spin(double milliseconds)
{
	double end = spin_seconds() + milliseconds / 1000;

	do
		for (volatile int i = 0; i < 10000; i++)
			continue;
	while (spin_seconds() < end);
}

#endif
