// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs for ageing.test.sh, by the first argument:
 *
 *	frames SECONDS FUNCTIONS BYTES	runs in made-up code below a made-up chain of frames, another one each time, whose functions have names of so
 *					many bytes in the process's perf map: no two stacks are equal, and no two names
 *	names SECONDS			eight threads that rename themselves as they run
 *	work SECONDS			computes in a function called as the program is: a program like any other
 *
 * What "frames" does is what just-in-time compilers do, and takes no right.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define DEPTH		120
#define FUNCTION_BYTES	16
#define THREADS		8

static volatile unsigned long sink;
static time_t end;

__attribute__((noinline)) static void compute(void)
{
	for (unsigned long i = 0; i < 100000; i++)
		sink += i * sink;
}

static void write_map(const unsigned char *code, long functions, int bytes)
{
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	if (!map)
		exit(1);
	fprintf(map, "%lx 40 leaf\n", (unsigned long)code);
	for (long i = 0; i < functions; i++)
		fprintf(map, "%lx %x flood_%d_%ld_%0*d\n", (unsigned long)code + 4096 + (unsigned long)i * FUNCTION_BYTES, FUNCTION_BYTES,
			(int)getpid(), i, bytes, 0);
	fclose(map);
}

static void flood_frames(long functions, int bytes)
{
	/* push %rbp; mov %rdi, %rbp; mov $0x80000, %ecx; 1: dec %ecx; jnz 1b; pop %rbp; ret: it spins with the chain as its caller. */
	static const unsigned char leaf[] = {
		0x55, 0x48, 0x89, 0xfd, 0xb9, 0x00, 0x00, 0x08, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0x5d, 0xc3,
	};
	unsigned char *code = mmap(NULL, 4096 + (size_t)functions * FUNCTION_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t chain[2 * DEPTH + 2];
	void (*run)(void *) = (void (*)(void *))code;
	unsigned long at = 0;

	if (code == MAP_FAILED)
		exit(1);
	memcpy(code, leaf, sizeof(leaf));
	memset(code + 4096, 0x90, (size_t)functions * FUNCTION_BYTES);
	write_map(code, functions, bytes);
	while (time(NULL) < end) {
		for (int i = 0; i < DEPTH; i++, at++) {
			chain[2 * i] = (uintptr_t)&chain[2 * i + 2];
			chain[2 * i + 1] = (uintptr_t)code + 4096 + at % (unsigned long)functions * FUNCTION_BYTES + 4;
		}
		chain[2 * DEPTH] = chain[2 * DEPTH + 1] = 0;
		run(chain);
	}
}

static void *rename_and_run(void *number)
{
	char name[16];

	for (unsigned long i = 0; time(NULL) < end; i++) {
		snprintf(name, sizeof(name), "%c%lx", 'a' + (int)(intptr_t)number, i * 0x9e3779b9UL & 0xffffffffUL);
		prctl(PR_SET_NAME, name);
		compute();
	}
	return NULL;
}

static void flood_names(void)
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, rename_and_run, (void *)i))
			exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int count, char **arguments)
{
	if (count < 3)
		return 2;
	end = time(NULL) + atoi(arguments[2]);
	if (!strcmp(arguments[1], "frames") && count == 5)
		flood_frames(atol(arguments[3]), atoi(arguments[4]));
	else if (!strcmp(arguments[1], "names"))
		flood_names();
	else
		while (time(NULL) < end)
			compute();
	return 0;
}
