// SPDX-License-Identifier: GPL-2.0
#include "unwind.h"

#include <linux/ktally.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/switch_to.h>
#include <asm/unwind.h>

static u64 kernel_frame(unsigned long address)
{
	return KTALLY_FRAME_KERNEL << KTALLY_FRAME_TYPE_SHIFT | (address & KTALLY_FRAME_VALUE_MASK);
}

static u64 user_frame(unsigned long address)
{
	return KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | (address & KTALLY_FRAME_VALUE_MASK);
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

/*
 * What a function that keeps a frame pointer leaves on the stack: the frame pointer of its caller,
 * and where it returns to. Between user_access_begin() and user_access_end(), where no function may
 * be called: always inline.
 */
static __always_inline bool read_link(unsigned long pointer, bool compat, u64 *next, u64 *return_address)
{
	const u64 __user *words = (const u64 __user *)pointer;
	const u32 __user *halves = (const u32 __user *)pointer;
	u32 half_next, half_return_address;

	if (compat) {
		unsafe_get_user(half_next, &halves[0], fault);
		unsafe_get_user(half_return_address, &halves[1], fault);
		*next = half_next;
		*return_address = half_return_address;
	} else {
		unsafe_get_user(*next, &words[0], fault);
		unsafe_get_user(*return_address, &words[1], fault);
	}
	return true;
fault:
	return false;
}

/*
 * By frame pointers. A chain of them is whatever a process cares to put there: every link must lie
 * above the one before, so the walk ends after at most the stack's length, and after `depth` frames
 * in any case. A zero link or a zero return address is how process and thread entry code marks the
 * outermost frame.
 *
 * One user_access_begin() serves the whole walk, so the bounds are checked here. Not
 * copy_from_user_nofault(): in some kernels between 5.19 and 6.3 that takes a lock which an
 * interrupted vmalloc() may hold. Page faults are off: a page that is not there makes a read fail.
 */
unsigned int ktally_unwind_user(const struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end)
{
	bool compat = regs->cs == __USER32_CS;
	unsigned long alignment = compat ? sizeof(u32) : sizeof(u64);
	unsigned long pointer = regs->bp, above = regs->sp;
	unsigned int count = 0;
	u64 next, return_address;
	u8 how = KTALLY_END_BROKEN;

	/* A process can put anything there as well, by sigreturn() or by a jump to nowhere. */
	if (regs->ip >= TASK_SIZE_MAX)
		goto out_nowhere;
	frames[count++] = user_frame(regs->ip);

	pagefault_disable();
	if (!user_access_begin((const void __user *)0, TASK_SIZE_MAX))
		goto out;
	for (;;) {
		if (!pointer) {
			how = KTALLY_END_COMPLETE;
			break;
		}
		if (pointer < above || pointer & (alignment - 1) || pointer >= TASK_SIZE_MAX - 2 * sizeof(u64) ||
		    !read_link(pointer, compat, &next, &return_address))
			break;
		if (!return_address) {
			how = KTALLY_END_COMPLETE;
			break;
		}
		if (return_address >= TASK_SIZE_MAX)
			break;
		if (count == depth) {
			how = KTALLY_END_TRUNCATED;
			break;
		}
		frames[count++] = user_frame(return_address - 1);
		above = pointer + 1;
		pointer = next;
	}
	user_access_end();
out:
	pagefault_enable();
out_nowhere:
	*end = how;
	return count;
}
