// SPDX-License-Identifier: GPL-2.0-or-later
/* To be loaded before the C library: a gettimeofday() that runs a thousand times as fast, for `perf bench` prints milliseconds. */
#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	struct timespec now;
	unsigned long ns;

	(void)zone;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (unsigned long)now.tv_sec * 1000000000 + (unsigned long)now.tv_nsec;
	time->tv_sec = (time_t)(ns / 1000000);
	time->tv_usec = (suseconds_t)(ns % 1000000);
	return 0;
}
