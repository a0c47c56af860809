/* SPDX-License-Identifier: GPL-2.0 */
/* Processes to be sampled. All are children of the test and die with it. */
#ifndef KTALLY_TEST_WORKLOAD_H
#define KTALLY_TEST_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Keeps one CPU busy until it is stopped; -1: any CPU. */
pid_t start_spinner(int cpu);
/* Forks children that exit at once, again and again. */
pid_t start_fork_storm(void);
/* Keeps a CPU busy at ever new depths of recursion: many distinct stacks, up to some hundred frames deep. */
pid_t start_maze(void);
/* Two processes that pass a byte to and fro: context switches and wake-ups. */
pid_t start_ping_pong(void);
/* Runs @function in a child that dies with its parent; the child exits with what it returns. */
pid_t start_child(int (*function)(void *argument), void *argument);
/* Kills it and what it started. */
void stop_child(pid_t child);
/* The exit status, or -1 when it did not exit by itself. */
int wait_for_child(pid_t child);

/* 0: the calling thread. */
void pin_to_cpu(pid_t pid, int cpu);

/* 1, but where there is 0 alone. */
int other_cpu(void);
/* Uses so much CPU time of the calling thread. */
void spin(uint64_t ns);
void sleep_seconds(double seconds);

/* CPU time of a process's first thread, by /proc/PID/schedstat; where the kernel lacks that, of the process by its clock. */
uint64_t cpu_time(pid_t pid);

/* Writes a text to a file; 0 or -errno. */
int write_file(const char *path, const char *text);
/* Reads a number from a file, -1 if that fails. */
long read_number(const char *path);
/* 0 or -errno. A CPU may be busy for a moment with going or coming: then again, for some seconds. */
int set_cpu_online(int cpu, bool online);
/* What the kernel could allot, its caches emptied first. */
long available_kb(void);

/*
 * Three functions that use 50, 30 and 20 % of the CPU time, in slices of random length. Each has an address range of its own
 * and is called by another that has one too: mix() -> outer[i] -> inner[i].
 */
#define PARTS 3

struct range {
	uint64_t begin;
	uint64_t end;
};

struct parts {
	struct range inner[PARTS];
	struct range outer[PARTS];
	struct range mix;
	struct range outermost;
};

extern const struct parts parts;

/* Shared with the process that runs the mix. */
struct mix {
	uint64_t duration;	/* in: CPU time to use */
	uint64_t ns[PARTS];	/* out: what each used by the process's own CPU clock */
	bool done;		/* out */
	int go[2];		/* the process waits for a byte here */
};

/* The process waits until start_mix(), and at the end until it is stopped. */
struct mix *create_mix(pid_t *child);
void start_mix(struct mix *mix, double seconds);

#endif /* KTALLY_TEST_WORKLOAD_H */
