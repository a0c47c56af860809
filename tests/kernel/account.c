// SPDX-License-Identifier: GPL-2.0
#include "account.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

static uint64_t thread_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t delay_in(int schedstat)
{
	unsigned long long ns;
	char text[128] = "";

	if (pread(schedstat, text, sizeof(text) - 1, 0) < 0 || sscanf(text, "%*u %llu", &ns) != 1)
		err(1, "schedstat");
	return ns;
}

/* All at one time: not with a turn on the run queue between, which on a busy host can be long. */
static uint64_t read_clocks(uint64_t *cpu, uint64_t *delay)
{
	int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	uint64_t now;

	do {
		*delay = delay_in(schedstat);
		*cpu = thread_time();
		now = now_ns();
	} while (delay_in(schedstat) != *delay);
	close(schedstat);
	return now;
}

void account_begin(struct account *account)
{
	account->begin = read_clocks(&account->cpu, &account->delay);
	__atomic_store_n(&account->tid, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
}

void account_end(struct account *account)
{
	uint64_t cpu, delay, end = read_clocks(&cpu, &delay);

	account->cpu = cpu - account->cpu;
	account->delay = delay - account->delay;
	__atomic_store_n(&account->end, end, __ATOMIC_RELEASE);
}

void account_take(struct account *account, const struct ktally_task *task, const struct ktally_offcpu *wait)
{
	if (wait->header.flags & KTALLY_OFFCPU_PARTIAL || account->tid != task->tid || wait->start < account->begin ||
	    (account->end && wait->time > account->end))
		return;
	account->seen[wait->state] += wait->time - wait->start;
	account->blocked += wait->blocked;
	account->run_queue += wait->run_queue;
	account->weight += wait->weight;
	account->waits++;
}

uint64_t account_wall(const struct account *account)
{
	return account->end - account->begin;
}

double account_error(const struct account *account)
{
	double wall = (double)account_wall(account);

	return ((double)(account->cpu + account->blocked + account->run_queue) - wall) / wall;
}
