// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop on poll(2). It asks about every watch at every turn, so there is nothing to arm. */
#include <errno.h>
#include <time.h>

#include "loop/backend.h"

static int poll_open(struct loop *loop)
{
	(void)loop;
	return 0;
}

static void poll_close(struct loop *loop)
{
	(void)loop;
}

static void poll_arm(struct loop *loop, struct loop_watch *watch)
{
	(void)loop;
	(void)watch;
}

static int poll_wait(struct loop *loop, uint64_t nanoseconds)
{
	struct timespec timeout = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };
	struct pollfd fds[LOOP_WATCHES_MAX];
	uint32_t generations[LOOP_WATCHES_MAX];
	int ready;

	for (int slot = 0; slot < LOOP_WATCHES_MAX; slot++) {
		const struct loop_watch *watch = &loop->watches[slot];

		fds[slot] = (struct pollfd){ .fd = watch->ready ? watch->fd : -1, .events = watch->events };
		generations[slot] = watch->generation;
	}
	ready = ppoll(fds, LOOP_WATCHES_MAX, nanoseconds == UINT64_MAX ? NULL : &timeout, NULL);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	for (unsigned int slot = 0; slot < LOOP_WATCHES_MAX; slot++)
		if (fds[slot].revents)
			loop_report(loop, slot, generations[slot], fds[slot].revents);
	return 0;
}

const struct loop_backend loop_poll = {
	.name = "poll",
	.open = poll_open,
	.close = poll_close,
	.arm = poll_arm,
	.disarm = poll_arm,
	.wait = poll_wait,
};
