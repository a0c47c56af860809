// SPDX-License-Identifier: GPL-2.0
#include "workload.h"

#include <err.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* gcc leaves out the frame pointer of a function that calls nothing, whatever it is told, unless that is used. */
#define KEEP_FRAME_POINTER() __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

/* A section for each function: the linker gives its bounds. Nothing may be inlined, cloned or called as a tail. */
#define ALONE(name) __attribute__((noipa, noinline, section("at_" #name)))
#define BOUNDS_OF(name) extern const char __start_at_##name[], __stop_at_##name[]

#define PART(name) \
	BOUNDS_OF(inner_##name); \
	BOUNDS_OF(outer_##name); \
	static ALONE(inner_##name) uint64_t inner_##name(uint64_t rounds) \
	{ \
		uint64_t x = rounds; \
		KEEP_FRAME_POINTER(); \
		while (rounds--) \
			__asm__ volatile("imul $77, %0, %0" : "+r"(x)); \
		return x; \
	} \
	static ALONE(outer_##name) uint64_t outer_##name(uint64_t rounds) \
	{ \
		uint64_t x = inner_##name(rounds); \
		__asm__ volatile("" : "+r"(x)); \
		return x; \
	}

PART(half)
PART(third)
PART(fifth)
BOUNDS_OF(mix_loop);
BOUNDS_OF(outermost);

/* Calls with no frame below, as a thread's first function is called: here a chain of frame pointers has to end. */
void call_outermost(void (*function)(void *argument), void *argument);
__asm__(".pushsection at_outermost, \"ax\", @progbits\n"
	"	.globl call_outermost\n"
	"	.type call_outermost, @function\n"
	"call_outermost:\n"
	"	push %rbp\n"
	"	xor %ebp, %ebp\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	call *%rax\n"
	"	pop %rbp\n"
	"	ret\n"
	"	.size call_outermost, . - call_outermost\n"
	".popsection\n");

#define RANGE(name) { (uint64_t)__start_at_##name, (uint64_t)__stop_at_##name }

const struct parts parts = {
	.inner = { RANGE(inner_half), RANGE(inner_third), RANGE(inner_fifth) },
	.outer = { RANGE(outer_half), RANGE(outer_third), RANGE(outer_fifth) },
	.mix = RANGE(mix_loop),
	.outermost = RANGE(outermost),
};

static uint64_t process_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t time_of(uint64_t (*function)(uint64_t rounds), uint64_t rounds)
{
	uint64_t begin = process_ns();

	function(rounds);
	return process_ns() - begin;
}

/* The least of some times counts: where a host stops a CPU for a while, that looks like time that the function took. */
static uint64_t rounds_in(uint64_t (*function)(uint64_t rounds), uint64_t ns)
{
	uint64_t rounds = 100000, least, time;
	int i;

	while ((least = time_of(function, rounds)) < 10000000)
		rounds *= 2;
	for (i = 0; i < 5; i++) {
		time = time_of(function, rounds);
		least = time < least ? time : least;
	}
	return rounds * ns / least;
}

/*
 * Slices are milliseconds long, so that what the clock itself takes is nothing, and random, so that they have nothing in
 * common with the sampling period.
 */
static ALONE(mix_loop) void mix_loop(void *argument)
{
	static uint64_t (*const functions[PARTS])(uint64_t rounds) = { outer_half, outer_third, outer_fifth };
	static const uint64_t shares[PARTS] = { 50, 30, 20 };
	uint64_t rounds = rounds_in(functions[0], 100000), end, before, after, part;
	struct mix *mix = argument;

	before = process_ns();
	end = before + mix->duration;
	do {
		for (part = 0; part < PARTS; part++) {
			functions[part](rounds * shares[part] * (50 + (uint64_t)random() % 100) / 100);
			after = process_ns();
			mix->ns[part] += after - before;
			before = after;
		}
	} while (before < end);
	__atomic_store_n(&mix->done, true, __ATOMIC_RELEASE);
}

static int run_mix(void *argument)
{
	struct mix *mix = argument;
	char byte;

	srandom((unsigned int)getpid());
	if (read(mix->go[0], &byte, 1) != 1)
		return 1;
	call_outermost(mix_loop, mix);
	for (;;)
		pause();
}

struct mix *create_mix(pid_t *child)
{
	struct mix *mix = mmap(NULL, sizeof(*mix), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mix == MAP_FAILED || pipe(mix->go))
		err(1, "mix");
	*child = start_child(run_mix, mix);
	return mix;
}

void start_mix(struct mix *mix, double seconds)
{
	mix->duration = (uint64_t)(seconds * 1e9);
	if (write(mix->go[1], "", 1) != 1)
		err(1, "mix");
}
