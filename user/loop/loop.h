/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's loop: waits for descriptors and timers, and calls. One thread. It runs on io_uring, or on poll(2) where io_uring
 * is disabled (kernel.io_uring_disabled, seccomp, RHEL) or missing; the rest of the daemon does not see which.
 *
 * Two sorts of watches, because the two ways of asking differ. A DRAINED watch is for descriptors whose owner takes everything
 * there is at each call: with io_uring it is one multishot request for the life of the descriptor, so that a wake-up costs no
 * system call but the wait itself, and it may report changes only. A LEVEL watch reports as long as the condition holds, for
 * descriptors that someone else reads (libcurl's): with io_uring it is asked for anew after each call.
 */
#ifndef KTALLY_LOOP_H
#define KTALLY_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

enum loop_kind {
	LOOP_ANY,		/* io_uring, else poll with a message that says why */
	LOOP_IO_URING,
	LOOP_POLL,
};

enum loop_sort {
	LOOP_LEVEL,
	LOOP_DRAINED,
};

#define LOOP_WATCHES_MAX 64

typedef void loop_ready(void *context, short events);
typedef void loop_expired(void *context);

/* Embedded in its owner; zeroed at first. */
struct loop_timer {
	uint64_t deadline;		/* CLOCK_MONOTONIC, ns: setting the wall clock moves no timer */
	loop_expired *expired;
	void *context;
	struct loop_timer *next;
};

int loop_create(struct loop **loop, enum loop_kind kind);
void loop_destroy(struct loop *loop);
const char *loop_name(const struct loop *loop);		/* "io_uring", "poll" */

/* Returns a number for loop_unwatch(), or -ENOSPC. A descriptor must be unwatched before it is closed, if possible. */
int loop_watch(struct loop *loop, int fd, short events, enum loop_sort sort, loop_ready *ready, void *context);
void loop_unwatch(struct loop *loop, int watch);

/* Expires once. Setting a timer that is set moves it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t milliseconds);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);
bool loop_timer_is_set(const struct loop *loop, const struct loop_timer *timer);

/* Waits for something to happen and calls for all that did. Callbacks may watch, unwatch, set and cancel as they like. -errno: the loop is broken. */
int loop_turn(struct loop *loop);

uint64_t loop_now(void);				/* CLOCK_MONOTONIC, ns */

#endif
