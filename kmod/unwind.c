// SPDX-License-Identifier: GPL-2.0
#include "unwind.h"

#include <linux/ktally.h>
#include <linux/sched.h>
#include <asm/switch_to.h>
#include <asm/unwind.h>

static u64 kernel_frame(unsigned long address)
{
	return KTALLY_FRAME_KERNEL << KTALLY_FRAME_TYPE_SHIFT | (address & KTALLY_FRAME_VALUE_MASK);
}

/* From where the state is outwards, but for the first `skip` frames. */
static unsigned int walk(struct unwind_state *state, u64 *frames, unsigned int depth, unsigned int skip, u8 *end)
{
	unsigned int count = 0;
	unsigned long address;

	*end = KTALLY_END_COMPLETE;
	for (; !unwind_done(state); unwind_next_frame(state)) {
		struct pt_regs *entry;

		address = unwind_get_return_address(state);
		if (!address)
			break;
		if (skip) {
			skip--;
			continue;
		}
		if (count == depth) {
			*end = KTALLY_END_TRUNCATED;
			return count;
		}
		entry = unwind_get_entry_regs(state, NULL);
		if (!entry || entry->ip != address)
			address--;
		frames[count++] = kernel_frame(address);
	}
	if (unwind_error(state))
		*end = KTALLY_END_BROKEN;
	return count;
}

/*
 * The kernel's unwinder (ORC, or frame pointers where the kernel is built so) gives return
 * addresses, except for frames that an interrupt or exception cut: for those it holds the
 * registers, and their address is exact.
 */
unsigned int ktally_unwind_kernel(struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end)
{
	struct unwind_state state;

	unwind_start(&state, current, regs, NULL);
	return walk(&state, frames, depth, 0, end);
}

/*
 * What was switched from lies beyond where the stack pointer was then: there the switch's own frame
 * ends, and what the scheduler called since, and the interrupt we are in, are this side of it. The
 * first frame there is that of the function that switches.
 */
unsigned int ktally_unwind_switched(unsigned long switched_from, u64 *frames, unsigned int depth, u8 *end)
{
	unsigned long *switch_end = (unsigned long *)(switched_from + offsetof(struct inactive_task_frame, ret_addr));
	struct unwind_state state;

	unwind_start(&state, current, NULL, switch_end);
	return walk(&state, frames, depth, 1, end);
}

unsigned int ktally_unwind_sleeping(struct task_struct *task, u64 *frames, unsigned int depth, u8 *end)
{
	struct unwind_state state;

	unwind_start(&state, task, NULL, NULL);
	return walk(&state, frames, depth, 1, end);
}

unsigned int ktally_unwind_from(unsigned long *frame, u64 *frames, unsigned int depth, u8 *end)
{
	struct unwind_state state;

	unwind_start(&state, current, NULL, frame);
	return walk(&state, frames, depth, 0, end);
}
