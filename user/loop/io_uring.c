// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loop on io_uring. A poll request's user_data is its watch's generation and slot. Requests are only prepared when watches
 * come and go, and go to the kernel with the next wait, in the same system call.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "loop/backend.h"

/* Each watch can have one poll request and, when its slot was reused, a few cancellations on the way. */
#define ENTRIES (2 * LOOP_WATCHES_MAX)

/* user_data of a cancellation: nobody waits for its answer. No watch has it, generations begin at 1. */
#define NOBODY 0

struct uring {
	struct io_uring ring;
	bool multishot;			/* Linux 5.13 and later */
};

/*
 * What a ring opens or writes does not pass the process' filter of system calls. So this one is made for waiting alone, for good,
 * before it takes its first request; and the filter lets nobody make another.
 */
static int restrict_to_waiting(struct io_uring *ring)
{
	static const uint8_t operations[] = { IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_TIMEOUT };
	struct io_uring_restriction restrictions[sizeof(operations)] = { 0 };

	for (size_t i = 0; i < sizeof(operations); i++) {
		restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
		restrictions[i].sqe_op = operations[i];
	}
	/* liburing declares functions for both, which its shared library lacks up to 2.4. */
	if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions, sizeof(operations)) ||
	    syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

static int uring_open(struct loop *loop)
{
	struct uring *uring = memory_zeroed(1, sizeof(*uring));
	int error = io_uring_queue_init(ENTRIES, &uring->ring, IORING_SETUP_R_DISABLED);

	if (!error) {
		error = restrict_to_waiting(&uring->ring);
		if (error)
			io_uring_queue_exit(&uring->ring);
	}
	if (error) {
		free(uring);
		return error;
	}
	uring->multishot = true;
	loop->state = uring;
	return 0;
}

static void uring_close(struct loop *loop)
{
	struct uring *uring = loop->state;

	io_uring_queue_exit(&uring->ring);
	free(uring);
}

/* NULL only when the kernel takes nothing more; the next wait then reports the error. */
static struct io_uring_sqe *next_request(struct uring *uring)
{
	struct io_uring_sqe *request = io_uring_get_sqe(&uring->ring);

	if (!request) {
		io_uring_submit(&uring->ring);
		request = io_uring_get_sqe(&uring->ring);
	}
	return request;
}

static uint64_t user_data(const struct loop *loop, const struct loop_watch *watch)
{
	return (uint64_t)watch->generation << 32 | (uint64_t)(watch - loop->watches);
}

static void uring_arm(struct loop *loop, struct loop_watch *watch)
{
	struct uring *uring = loop->state;
	struct io_uring_sqe *request = next_request(uring);

	watch->armed = request != NULL;
	if (!request)
		return;
	if (watch->sort == LOOP_DRAINED && uring->multishot)
		io_uring_prep_poll_multishot(request, watch->fd, (unsigned short)watch->events);
	else
		io_uring_prep_poll_add(request, watch->fd, (unsigned short)watch->events);
	io_uring_sqe_set_data64(request, user_data(loop, watch));
}

static void uring_disarm(struct loop *loop, struct loop_watch *watch)
{
	struct io_uring_sqe *request;

	if (!watch->armed)
		return;
	watch->armed = false;
	request = next_request(loop->state);
	if (!request)
		return;
	io_uring_prep_poll_remove(request, user_data(loop, watch));
	io_uring_sqe_set_data64(request, NOBODY);
}

static void answer(struct loop *loop, uint64_t data, int result, unsigned int flags)
{
	struct uring *uring = loop->state;
	unsigned int slot = (uint32_t)data;
	uint32_t generation = data >> 32;
	struct loop_watch *watch;

	if (data == NOBODY || slot >= LOOP_WATCHES_MAX)
		return;
	watch = &loop->watches[slot];
	if (!watch->ready || watch->generation != generation)
		return;
	watch->armed = flags & IORING_CQE_F_MORE;
	if (result == -EINVAL && watch->sort == LOOP_DRAINED && uring->multishot)
		uring->multishot = false;	/* Linux 5.10: armed again with the next wait, for one shot at a time */
	else
		loop_report(loop, slot, generation, result < 0 ? POLLNVAL : (short)result);
}

/* Watches whose request was answered for good, and those whose request could not be prepared because the kernel took none. */
static void arm_the_rest(struct loop *loop)
{
	for (int slot = 0; slot < LOOP_WATCHES_MAX; slot++)
		if (loop->watches[slot].ready && !loop->watches[slot].armed)
			uring_arm(loop, &loop->watches[slot]);
}

static int uring_wait(struct loop *loop, uint64_t nanoseconds)
{
	struct uring *uring = loop->state;
	struct __kernel_timespec timeout = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };
	struct io_uring_cqe *completion;
	int error;

	arm_the_rest(loop);
	error = io_uring_submit_and_wait_timeout(&uring->ring, &completion, 1,
						 nanoseconds == UINT64_MAX ? NULL : &timeout, NULL);
	if (error < 0 && error != -ETIME && error != -EINTR && error != -EAGAIN && error != -EBUSY)
		return error;
	/* No more than one turn can bring, so that timers have theirs. */
	for (int i = 0; i < 2 * ENTRIES && !io_uring_peek_cqe(&uring->ring, &completion); i++) {
		uint64_t data = io_uring_cqe_get_data64(completion);
		unsigned int flags = completion->flags;
		int result = completion->res;

		io_uring_cqe_seen(&uring->ring, completion);
		answer(loop, data, result, flags);
	}
	return 0;
}

const struct loop_backend loop_io_uring = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.arm = uring_arm,
	.disarm = uring_disarm,
	.wait = uring_wait,
};
