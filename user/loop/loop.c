// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/message.h"
#include "loop/backend.h"

#define NANOSECONDS_PER_MILLISECOND 1000000ULL
#define NANOSECONDS_PER_SECOND 1000000000ULL

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Why io_uring_setup() failed, as far as the kernel lets us know. */
static void explain_fallback(int error)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int disabled = 0;

	if (file) {
		if (fscanf(file, "%d", &disabled) != 1)
			disabled = 0;
		fclose(file);
	}
	if (error == -EPERM && disabled)
		message_info("io_uring is disabled (sysctl kernel.io_uring_disabled=%d): using poll instead", disabled);
	else if (error == -ENOSYS)
		message_info("this kernel has no io_uring: using poll instead");
	else if (error == -EPERM)
		message_info("io_uring is forbidden here (a seccomp filter or security module): using poll instead");
	else if (error == -ENOMEM)
		message_info("no memory for io_uring (before Linux 5.12 it counts against `ulimit -l`): using poll instead");
	else
		message_info("io_uring does not work here (%s): using poll instead", strerror(-error));
}

int loop_create(struct loop **result, enum loop_kind kind)
{
	struct loop *loop = memory_zeroed(1, sizeof(*loop));
	int error;

	loop->backend = kind == LOOP_POLL ? &loop_poll : &loop_io_uring;
	error = loop->backend->open(loop);
	if (error && kind == LOOP_ANY) {
		explain_fallback(error);
		loop->backend = &loop_poll;
		error = loop->backend->open(loop);
	}
	if (error) {
		free(loop);
		return error;
	}
	*result = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	loop->backend->close(loop);
	free(loop);
}

const char *loop_name(const struct loop *loop)
{
	return loop->backend->name;
}

int loop_watch(struct loop *loop, int fd, short events, enum loop_sort sort, loop_ready *ready, void *context)
{
	for (int slot = 0; slot < LOOP_WATCHES_MAX; slot++) {
		struct loop_watch *watch = &loop->watches[slot];

		if (watch->ready)
			continue;
		watch->ready = ready;
		watch->context = context;
		watch->fd = fd;
		watch->events = events;
		watch->sort = sort;
		watch->generation++;
		loop->backend->arm(loop, watch);
		return slot;
	}
	return -ENOSPC;
}

void loop_unwatch(struct loop *loop, int slot)
{
	struct loop_watch *watch;

	if (slot < 0 || slot >= LOOP_WATCHES_MAX || !loop->watches[slot].ready)
		return;
	watch = &loop->watches[slot];
	loop->backend->disarm(loop, watch);
	watch->ready = NULL;
}

void loop_report(struct loop *loop, unsigned int slot, uint32_t generation, short events)
{
	struct loop_watch *watch = slot < LOOP_WATCHES_MAX ? &loop->watches[slot] : NULL;

	if (watch && watch->ready && watch->generation == generation)
		watch->ready(watch->context, events);
}

bool loop_timer_is_set(const struct loop *loop, const struct loop_timer *timer)
{
	for (const struct loop_timer *other = loop->timers; other; other = other->next)
		if (other == timer)
			return true;
	return false;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	for (struct loop_timer **link = &loop->timers; *link; link = &(*link)->next) {
		if (*link == timer) {
			*link = timer->next;
			return;
		}
	}
}

/* Kept in order of their deadlines; there are only a handful. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t milliseconds)
{
	struct loop_timer **link = &loop->timers;

	loop_timer_cancel(loop, timer);
	if (__builtin_mul_overflow(milliseconds, NANOSECONDS_PER_MILLISECOND, &timer->deadline) ||
	    __builtin_add_overflow(timer->deadline, loop_now(), &timer->deadline))
		timer->deadline = UINT64_MAX;
	while (*link && (*link)->deadline <= timer->deadline)
		link = &(*link)->next;
	timer->next = *link;
	*link = timer;
}

/* Only those that were due at the start: a timer that sets itself to 0 cannot keep the descriptors waiting. */
static void expire(struct loop *loop)
{
	uint64_t now = loop_now();

	while (loop->timers && loop->timers->deadline <= now) {
		struct loop_timer *timer = loop->timers;

		loop->timers = timer->next;
		timer->expired(timer->context);
	}
}

int loop_turn(struct loop *loop)
{
	uint64_t nanoseconds = UINT64_MAX;
	int error;

	if (loop->timers) {
		uint64_t now = loop_now();

		nanoseconds = loop->timers->deadline > now ? loop->timers->deadline - now : 0;
	}
	error = loop->backend->wait(loop, nanoseconds);
	expire(loop);
	return error;
}
