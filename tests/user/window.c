// SPDX-License-Identifier: GPL-2.0-or-later
/* The windows of time of metrics, when the wall clock runs, is corrected, is set, and when the host sleeps. */
#include "check.h"
#include "daemon/clock.h"

#define SECOND 1000000000LL
#define START (1700000000LL * SECOND)

int main(void)
{
	struct window window;
	uint64_t end;

	window_init(&window, START, 100 * SECOND);
	check_number(window_advance(&window, START + 30 * SECOND, 130 * SECOND), 0, "a clock that runs is not set");
	check_number(window.start, START, "the first window begins at the start");
	check_number(window.end, START + 30 * SECOND, "and ends now");
	check_number(window_advance(&window, START + 60 * SECOND + 15000000, 160 * SECOND), 0, "nor is one that is slewed by 500 ppm");
	check_number(window.start, START + 30 * SECOND, "the next begins where the one before ended");
	check_number(window.end - window.start, 30 * SECOND + 15000000, "the correction is in its length");

	end = window.end;
	check_number(window_advance(&window, end + 3630 * SECOND, 190 * SECOND), 3600 * SECOND, "a clock set forward is noticed");
	check_number(window.end, end + 3630 * SECOND, "the window ends by the new time");
	check_number(window.end - window.start, 30 * SECOND, "and has the length that passed");

	end = window.end;
	check_number(window_advance(&window, end - 3570 * SECOND, 220 * SECOND), -3600 * SECOND, "so is one that is set back");
	check_number(window.end, end - 3570 * SECOND, "the window ends by the new time");
	check_number(window.end - window.start, 30 * SECOND, "and has the length that passed");

	end = window.end;
	check_number(window_advance(&window, end + 30 * SECOND, 250 * SECOND), 0, "after that it runs again");
	check_number(window.start, end, "from where the one before ended");

	end = window.end;
	check(window_advance(&window, end - SECOND / 20, 250 * SECOND + SECOND / 100) < 0, "a small step back within a short window");
	check(window.start < window.end, "does not make it end before it begins");
	check_number(window_advance(&window, window.end + 3601 * SECOND + SECOND / 2, window.monotonic + 3600 * SECOND), 0,
		     "an hour's slewing is no step");
	return check_end();
}
