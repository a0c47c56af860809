// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Computes under a stack of 35 frames with frame pointers, and prints how many nanoseconds that took: in a virtual machine whose
 * clock counts instructions (scripts/vm --icount), how many instructions the machine executed meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

static __attribute__((noinline)) void compute(unsigned long rounds)
{
	unsigned long value = 1;

	while (rounds--)
		value = value * 6364136223846793005UL + 1442695040888963407UL;
	sink = value;
}

static __attribute__((noinline)) void descend(int depth, unsigned long rounds)
{
	if (depth)
		descend(depth - 1, rounds);
	else
		compute(rounds);
	__asm__ volatile("");	/* no tail call */
}

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 500000000;
	unsigned long long start;

	descend(32, rounds / 10);	/* warm up */
	start = now();
	descend(32, rounds);
	printf("%llu\n", now() - start);
	return 0;
}
