// SPDX-License-Identifier: GPL-2.0-or-later
#include <time.h>

#include "profile/turns.h"

#define WINDOW	2000000000ULL

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

static uint64_t time_of(const struct map *times, uint64_t key)
{
	return (uintptr_t)map_get(times, key);
}

static bool has_average(const struct turns *turns, const struct map *times, uint64_t key)
{
	return turns->time && time_of(times, key) * times->used >= turns->time;
}

static bool had_less(const struct turns *turns, const struct pool_holder *holder)
{
	return !has_average(turns, &turns->users, holder->user) || !has_average(turns, &turns->processes, holder->process);
}

bool turns_has(struct turns *turns, const struct pool_holder *holder)
{
	switch (turns->pressure) {
	case PROFILE_AT_EASE:
		return true;
	case PROFILE_BEHIND:
		return had_less(turns, holder);
	default:
		return false;
	}
}

bool turns_may_learn(const struct turns *turns, const struct pool_holder *holder)
{
	return turns->pressure == PROFILE_AT_EASE || had_less(turns, holder);
}

/* Time of the CPU: while others run, nobody uses up anything. */
uint64_t turns_begin(void)
{
	return now(CLOCK_THREAD_CPUTIME_ID);
}

void turns_end(struct turns *turns, const struct pool_holder *holder, uint64_t began)
{
	uint64_t took = now(CLOCK_THREAD_CPUTIME_ID) - began + 1, time = now(CLOCK_MONOTONIC);

	if (time - turns->window > WINDOW) {
		turns_free(turns);
		turns->time = 0;
		turns->window = time;
	}
	turns->time += took;
	map_put(&turns->users, holder->user, (void *)(uintptr_t)(time_of(&turns->users, holder->user) + took));
	map_put(&turns->processes, holder->process, (void *)(uintptr_t)(time_of(&turns->processes, holder->process) + took));
}

void turns_free(struct turns *turns)
{
	map_free(&turns->users);
	map_free(&turns->processes);
}
