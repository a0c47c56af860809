// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does in turn what its arguments say, for names.sh, which builds it under other names for its function:
 *
 *	spin MS			MS milliseconds of CPU time in FUNCTION()
 *	unlink			deletes its own file
 *	fork MS			a copy of itself, with no exec, in CHILD(), while this goes on
 *	forks SECONDS MS	one such copy after the other
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
#include <time.h>
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

static pid_t start_child(double milliseconds)
{
	pid_t child = fork();

	if (!child) {
		in_child(milliseconds);
		_exit(0);
	}
	return child;
}

static void forks(double seconds, double milliseconds)
{
	time_t end = time(NULL) + (time_t)seconds;
	int number = 0;

	while (time(NULL) < end && waitpid(start_child(milliseconds), NULL, 0) > 0)
		number++;
	printf("# %.0f processes a second\n", number / seconds);
}

int main(int count, char **words)
{
	for (int i = 1; i < count; i++) {
		if (!strcmp(words[i], "spin")) {
			FUNCTION(atof(words[++i]));
		} else if (!strcmp(words[i], "unlink")) {
			unlink(words[0]);
		} else if (!strcmp(words[i], "fork")) {
			start_child(atof(words[++i]));
		} else if (!strcmp(words[i], "forks")) {
			forks(atof(words[i + 1]), atof(words[i + 2]));
			i += 2;
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
