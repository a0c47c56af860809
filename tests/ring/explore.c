// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "explore.h"

#define CHOICES_MAX	1024

static struct {
	struct {
		unsigned int taken, ways;
	} choices[CHOICES_MAX];
	unsigned int known;	/* choices made by the run before that this one follows */
	unsigned int next;
	bool telling;
	jmp_buf failed;
} state;

unsigned int explore_choose(unsigned int ways)
{
	unsigned int at = state.next;

	if (ways < 2)
		return 0;
	if (at == CHOICES_MAX)
		explore_fail("more than %d choices in one run", CHOICES_MAX);
	state.next++;
	if (at < state.known) {
		if (state.choices[at].ways != ways) {
			fprintf(stderr, "the run does not repeat itself: choice %u had %u ways, has %u\n", at,
				state.choices[at].ways, ways);
			abort();
		}
		return state.choices[at].taken;
	}
	state.choices[at].taken = 0;
	state.choices[at].ways = ways;
	state.known = state.next;
	return 0;
}

void explore_tell(const char *format, ...)
{
	va_list arguments;

	if (!state.telling)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

bool explore_telling(void)
{
	return state.telling;
}

void explore_fail(const char *format, ...)
{
	va_list arguments;

	if (state.telling) {
		printf("# wrong: ");
		va_start(arguments, format);
		vprintf(format, arguments);
		va_end(arguments);
		printf("\n");
	}
	longjmp(state.failed, 1);
}

static bool one(void (*run)(void))
{
	state.next = 0;
	if (setjmp(state.failed))
		return false;
	run();
	return true;
}

/* Cuts off the choices that have been all ways; false if that leaves none. */
static bool advance(void)
{
	state.known = state.next;
	while (state.known) {
		if (++state.choices[state.known - 1].taken < state.choices[state.known - 1].ways)
			return true;
		state.known--;
	}
	return false;
}

bool explore(void (*run)(void), unsigned long long *runs)
{
	state.known = 0;
	*runs = 0;
	do {
		++*runs;
		if (!one(run)) {
			printf("# run %llu:\n", *runs);
			state.telling = true;
			one(run);
			state.telling = false;
			return false;
		}
	} while (advance());
	return true;
}
