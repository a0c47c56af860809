// SPDX-License-Identifier: GPL-2.0
#include "workload.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ children */

static void burn(uint64_t rounds)
{
	while (rounds--)
		__asm__ volatile("" : "+r"(rounds));
}

pid_t start_child(int (*function)(void *argument), void *argument)
{
	pid_t child = fork();

	if (child < 0)
		err(1, "fork");
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	_exit(function(argument));
}

void stop_child(pid_t child)
{
	kill(-child, SIGKILL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int wait_for_child(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int run_spinner(void *argument)
{
	int cpu = *(int *)argument;

	if (cpu >= 0)
		pin_to_cpu(0, cpu);
	for (;;)
		spin(1000000);
	return 0;
}

pid_t start_spinner(int cpu)
{
	return start_child(run_spinner, &cpu);
}

static __attribute__((noipa)) void go_left(unsigned int depth);

static __attribute__((noipa)) void go_right(unsigned int depth)
{
	if (!depth)
		burn(20000);
	else if (random() % 2)
		go_left(depth - 1);
	else
		go_right(depth - 1);
	__asm__ volatile("");
}

static __attribute__((noipa)) void go_left(unsigned int depth)
{
	go_right(depth ? depth - 1 : 0);
	__asm__ volatile("");
}

static int run_maze(void *argument)
{
	(void)argument;
	for (;;)
		go_left((unsigned int)random() % 300);
	return 0;
}

pid_t start_maze(void)
{
	return start_child(run_maze, NULL);
}

static int run_fork_storm(void *argument)
{
	(void)argument;
	for (;;) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	return 0;
}

pid_t start_fork_storm(void)
{
	return start_child(run_fork_storm, NULL);
}

static int run_ping_pong(void *argument)
{
	int there[2], back[2];
	char byte = 0;

	(void)argument;
	if (pipe(there) || pipe(back))
		err(1, "pipe");
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			continue;
		_exit(1);
	}
	while (write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		continue;
	return 1;
}

pid_t start_ping_pong(void)
{
	return start_child(run_ping_pong, NULL);
}

/* ------------------------------------------------------------------------------------------------ time */

void pin_to_cpu(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(pid, sizeof(set), &set))
		err(1, "CPU %d", cpu);
}

int other_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		err(1, "clock_gettime");
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void spin(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		burn(100000);
}

void sleep_seconds(double seconds)
{
	struct timespec left = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&left, &left) && errno == EINTR)
		continue;
}

uint64_t cpu_time(pid_t pid)
{
	unsigned long long ns;
	clockid_t clock;
	char path[64];
	FILE *file;
	int fields = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	if (file) {
		fields = fscanf(file, "%llu", &ns);
		fclose(file);
	}
	if (fields == 1)
		return ns;
	if (clock_getcpuclockid(pid, &clock))
		errx(1, "process %d has no clock", pid);
	return clock_ns(clock);
}

/* ------------------------------------------------------------------------------------------------ files */

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

long read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

long available_kb(void)
{
	char line[128];
	long kb = 0;
	FILE *file;

	sync();
	write_file("/proc/sys/vm/drop_caches", "3");
	file = fopen("/proc/meminfo", "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "MemAvailable:", 13))
			kb = atol(line + 13);
	if (file)
		fclose(file);
	return kb;
}

int set_cpu_online(int cpu, bool online)
{
	int error = -EBUSY, patience;
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	for (patience = 0; patience < 50 && error == -EBUSY; patience++) {
		error = write_file(path, online ? "1" : "0");
		if (error == -EBUSY)
			sleep_seconds(0.1);
	}
	return error;
}
