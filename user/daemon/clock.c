// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/clock.h"

/* NTP slews by at most 500 ppm, and steps what is more than 128 ms off. */
#define SLEW_MOST_PPM 1000
#define STEP_LEAST 100000000

static int64_t slew_most(uint64_t passed)
{
	return (int64_t)(passed / 1000000 * SLEW_MOST_PPM) + STEP_LEAST;
}

void window_init(struct window *window, uint64_t realtime, uint64_t monotonic)
{
	*window = (struct window){ .start = realtime, .end = realtime, .monotonic = monotonic };
}

int64_t window_advance(struct window *window, uint64_t realtime, uint64_t monotonic)
{
	uint64_t passed = monotonic - window->monotonic;
	int64_t step = (int64_t)(realtime - window->end - passed);

	window->start = window->end;
	window->end = realtime;
	window->monotonic = monotonic;
	if (step > -slew_most(passed) && step < slew_most(passed) && window->end >= window->start)
		return 0;
	window->start = realtime - passed;
	return step;
}
