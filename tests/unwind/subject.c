// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Has all kinds of frames on its stack, none with a frame pointer: built with -O2 -fomit-frame-pointer. It stops where
 * compare.c is to look, by a breakpoint of its own.
 */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN __attribute__((noinline, noclone))

static volatile uint64_t sink;

static HIDDEN void stop(void)
{
	__asm__ volatile("int3" : : : "memory");
}

/* The stubs of the procedure linkage table bind these at the first call. */
static HIDDEN void call_library(unsigned int n)
{
	char text[64];

	stop();
	snprintf(text, sizeof(text), "%u %s %f", n, "some text", n / 3.0);
	sink += strtoul(text, NULL, 10) + strlen(text);
}

/* Its stack pointer is not where it was by any constant, and its arguments are found by another register. */
static HIDDEN void aligned(unsigned int n)
{
	_Alignas(128) uint64_t words[16];
	char *room = alloca(n % 200 + 17);

	memset(room, (int)n, n % 200 + 17);
	memset(words, (int)n, sizeof(words));
	stop();
	sink += words[n % 16] + (unsigned char)room[n % 16];
}

static HIDDEN void in_handler(int number)
{
	aligned((unsigned int)number);
	stop();
	sink += 1;
}

static void on_signal(int number)
{
	in_handler(number);
	sink += 1;
}

static int by_size(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	static int calls;

	if (++calls % 40 == 20)
		stop();
	if (calls % 40 == 30)
		raise(calls % 80 > 40 ? SIGUSR1 : SIGUSR2);
	sink += 1;
	return left < right ? -1 : left > right;
}

static HIDDEN void sort(void)
{
	uint32_t numbers[64];

	for (unsigned int i = 0; i < 64; i++)
		numbers[i] = i * 2654435761U;
	qsort(numbers, 64, sizeof(numbers[0]), by_size);
	sink += numbers[7];
}

static HIDDEN void deeper(unsigned int n, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* The other one has other registers to save. */
static HIDDEN void deep(unsigned int n)
{
	if (n % 7 == 3)
		call_library(n);
	if (n)
		deeper(n - 1, sink, sink + 1, sink * 3, sink ^ n);
	else
		sort();
	sink += n;
}

static HIDDEN void deeper(unsigned int n, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	char *room = alloca(n * 3 + 1);

	memset(room, (int)n, n * 3 + 1);
	deep(n ? n - 1 : 0);
	sink += a * 3 + b * 5 + c * 7 + d * 11 + (unsigned char)room[n / 2];
}

static void *run(void *argument)
{
	static __thread char stack[65536];
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&other, NULL);
	deep(*(unsigned int *)argument);
	stop();
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal }, elsewhere = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	unsigned int here = 40, there = 12;
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &elsewhere, NULL);
	run(&here);
	if (pthread_create(&thread, NULL, run, &there))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}
