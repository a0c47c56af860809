// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does in turn what its arguments say, for names.sh, which builds it under other names for its function:
 *
 *	spin MS			MS milliseconds of CPU time in FUNCTION()
 *	unlink			deletes its own file
 *	fork MS			a copy of itself, with no exec, in CHILD(), while this goes on
 *	turns MS A B		by turns, MS milliseconds each: libraries A and B, whose code is called and unloaded again
 *	exec PATH ARGUMENT...	another program in this process
 *
 * Exit status 3: the two libraries did not come to lie at one address.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spin.h"

#define NOINLINE __attribute__((noinline, noclone))

NOINLINE void FUNCTION(double milliseconds);
NOINLINE void in_child(double milliseconds);
NOINLINE void call_first(void (*function)(void));
NOINLINE void call_second(void (*function)(void));

void FUNCTION(double milliseconds)
{
	spin(milliseconds);
}

void in_child(double milliseconds)
{
	spin(milliseconds);
}

void call_first(void (*function)(void))
{
	function();
	__asm__ volatile("");
}

void call_second(void (*function)(void))
{
	function();
	__asm__ volatile("");
}

#ifdef TURNS
static void *call(const char *path, void (*caller)(void (*)(void)))
{
	void *library = dlopen(path, RTLD_NOW), *function = library ? dlsym(library, "in_library") : NULL;

	if (!function) {
		fprintf(stderr, "%s: %s\n", path, dlerror());
		exit(1);
	}
	caller((void (*)(void))function);
	dlclose(library);
	return function;
}

static void turns(double milliseconds, const char *first, const char *second)
{
	double end = spin_seconds() + 2 * milliseconds / 1000;

	while (spin_seconds() < end)
		if (call(first, call_first) != call(second, call_second))
			exit(3);
}
#endif

int main(int count, char **words)
{
	for (int i = 1; i < count; i++) {
		if (!strcmp(words[i], "spin")) {
			FUNCTION(atof(words[++i]));
		} else if (!strcmp(words[i], "unlink")) {
			unlink(words[0]);
		} else if (!strcmp(words[i], "fork")) {
			double milliseconds = atof(words[++i]);

			if (fork())
				continue;
			in_child(milliseconds);
			return 0;
#ifdef TURNS
		} else if (!strcmp(words[i], "turns")) {
			turns(atof(words[i + 1]), words[i + 2], words[i + 3]);
			i += 3;
#endif
		} else if (!strcmp(words[i], "exec")) {
			execv(words[i + 1], &words[i + 1]);
			return 1;
		}
	}
	while (wait(NULL) > 0)
		continue;
	return 0;
}
