// SPDX-License-Identifier: GPL-2.0
/* Prints at how many kHz this machine's time stamp counter runs, measured for a tenth of a second. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	uint64_t ns, ticks;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Of some attempts that between whose two looks at the clock the least time passed: it was not interrupted. */
static struct reading take_reading(void)
{
	struct reading best = { 0, 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 100; i++) {
		uint64_t before = clock_ns(), ticks = __rdtsc(), after = clock_ns();

		if (after - before < least) {
			least = after - before;
			best = (struct reading){ before, ticks };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct reading first = take_reading(), last;

	nanosleep(&pause, NULL);
	last = take_reading();
	printf("%ju\n", (uintmax_t)((last.ticks - first.ticks) * 1000000 / (last.ns - first.ns)));
	return 0;
}
