// SPDX-License-Identifier: GPL-2.0-or-later
/* kmod/draw.h: the sums that follow from which waits are kept err no more than chance does. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

typedef __u32 u32;
typedef __u64 u64;

#include "../../kmod/draw.h"
#include "check.h"

#define KEYS 48
#define WAITS 200000
#define THREADS 6

/* Numbers as random as keys are, the same in every run. */
static u64 next_key(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (x ^ x >> 31) | 1;
}

/*
 * A CPU whose threads run by turns, each always for as long, and which a wait that is kept delays by @cost. By how many standard
 * errors the estimate of all time waited is wrong: where a wait of d is kept with probability d / D, and counts as D then, its
 * variance is the sum of d (D - d).
 */
static double estimate(u64 key, u64 keep, u64 cost)
{
	static const u64 runs[THREADS] = { 7200, 7350, 8200, 8100, 5100, 5110 };
	u64 now = 123456789012, left[THREADS], took;
	double sum = 0, truth = 0, variance = 0;
	unsigned int i, thread;

	for (thread = 0; thread < THREADS; thread++)
		left[thread] = now;
	for (i = 0; i < WAITS; i++) {
		thread = i % THREADS;
		took = now - left[thread];
		truth += (double)took;
		variance += took < keep ? (double)took * (double)(keep - took) : 0;
		if (ktally_is_drawn(key, (0xffff9c8001234000 + 64 * 37 * thread) ^ left[thread], keep, took)) {
			sum += (double)(took > keep ? took : keep);
			now += cost;
		}
		now += runs[thread];
		left[thread] = now;
	}
	return (sum - truth) / sqrt(variance);
}

/* Of KEYS normal numbers the mean square is 1 with an error of sqrt(2 / KEYS), their mean 0 with one of sqrt(1 / KEYS). */
static void errs_as_chance_does(u64 keep, u64 cost, const char *what)
{
	double sum = 0, squares = 0, error;
	u64 state = keep ^ cost;

	for (unsigned int i = 0; i < KEYS; i++) {
		error = estimate(next_key(&state), keep, cost);
		sum += error;
		squares += error * error;
	}
	printf("# %s: mean %+.2f, mean square %.2f\n", what, sum / KEYS, squares / KEYS);
	check(fabs(sum / KEYS) < 4 * sqrt(1.0 / KEYS), "%s: the mean is right", what);
	check(fabs(squares / KEYS - 1) < 4 * sqrt(2.0 / KEYS), "%s: the spread is that of chance", what);
}

/* How many of @WAITS that begin one nanosecond after the other are kept. */
static double share(u64 keep, u64 took)
{
	u64 state = keep, key = next_key(&state);
	unsigned int drawn = 0;

	for (u64 start = 0; start < WAITS; start++)
		drawn += ktally_is_drawn(key, 987654321000 + start, keep, took);
	return drawn / (double)WAITS;
}

int main(void)
{
	errs_as_chance_does(1000000, 0, "the same over and over");
	errs_as_chance_does(1000000, 6600, "delayed by what is kept");
	errs_as_chance_does(1000000, 6601, "delayed unevenly");
	errs_as_chance_does(100000000, 6600, "D = 100 ms");
	check(share(1000000, 1000000) == 1 && share(1000000, UINT64_MAX) == 1, "a wait of D or more is always kept");
	check(share(0, 1) == 1, "all are, where D is 0");
	check(share(1000000, 0) == 0 && share(0, 0) == 0, "one of no time never is");
	check(fabs(share(1000000, 250000) - 0.25) < 0.01, "a quarter of D: one in four");
	check(fabs(share(40000000000, 10000000000) - 0.25) < 0.01, "also where D is more than 32 bits");
	return check_end();
}
