// SPDX-License-Identifier: GPL-2.0
#include "unwind.h"

#include <linux/ktally.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/unwind.h>

static u64 kernel_frame(unsigned long address)
{
	return KTALLY_FRAME_KERNEL << KTALLY_FRAME_TYPE_SHIFT | (address & KTALLY_FRAME_VALUE_MASK);
}

static u64 user_frame(unsigned long address)
{
	return KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | (address & KTALLY_FRAME_VALUE_MASK);
}

/*
 * The kernel's unwinder (ORC, or frame pointers where the kernel is built so) gives return
 * addresses, except for frames that an interrupt or exception cut: for those it holds the
 * registers, and their address is exact.
 */
unsigned int ktally_unwind_kernel(struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end)
{
	struct unwind_state state;
	unsigned int count = 0;
	unsigned long address;

	*end = KTALLY_END_COMPLETE;
	for (unwind_start(&state, current, regs, NULL); !unwind_done(&state); unwind_next_frame(&state)) {
		struct pt_regs *entry;

		address = unwind_get_return_address(&state);
		if (!address)
			break;
		if (count == depth) {
			*end = KTALLY_END_TRUNCATED;
			return count;
		}
		entry = unwind_get_entry_regs(&state, NULL);
		if (!entry || entry->ip != address)
			address--;
		frames[count++] = kernel_frame(address);
	}
	if (unwind_error(&state))
		*end = KTALLY_END_BROKEN;
	return count;
}

/* What a function that keeps a frame pointer leaves on the stack. */
struct user_link {
	unsigned long next;
	unsigned long return_address;
};

/*
 * Two words from user memory. Not copy_from_user_nofault(): in some kernels between 5.19 and 6.3
 * that takes a lock which an interrupted vmalloc() may hold. A page that is not there makes the
 * reads fail, for page faults are off.
 */
static bool read_link(unsigned long address, struct user_link *link)
{
	const unsigned long __user *words = (const unsigned long __user *)address;
	bool read = false;

	pagefault_disable();
	if (user_access_begin(words, sizeof(*link))) {
		unsafe_get_user(link->next, &words[0], fault);
		unsafe_get_user(link->return_address, &words[1], fault);
		read = true;
fault:
		user_access_end();
	}
	pagefault_enable();
	return read;
}

static bool read_compat_link(unsigned long address, struct user_link *link)
{
	const u32 __user *words = (const u32 __user *)address;
	bool read = false;
	u32 next, return_address;

	pagefault_disable();
	if (user_access_begin(words, 2 * sizeof(u32))) {
		unsafe_get_user(next, &words[0], fault);
		unsafe_get_user(return_address, &words[1], fault);
		link->next = next;
		link->return_address = return_address;
		read = true;
fault:
		user_access_end();
	}
	pagefault_enable();
	return read;
}

/*
 * By frame pointers. A chain of them is whatever a process cares to put there: every link must lie
 * above the one before, so the walk ends after at most the stack's length, and after `depth` frames
 * in any case. A zero link or a zero return address is how process and thread entry code marks the
 * outermost frame.
 */
unsigned int ktally_unwind_user(const struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end)
{
	bool compat = regs->cs == __USER32_CS;
	unsigned long pointer = regs->bp;
	unsigned long above = regs->sp;
	unsigned int count = 0;
	struct user_link link;

	if (!depth) {
		*end = KTALLY_END_TRUNCATED;
		return 0;
	}
	frames[count++] = user_frame(regs->ip);

	while (pointer) {
		if (pointer < above || pointer & (compat ? 3 : 7) ||
		    !(compat ? read_compat_link(pointer, &link) : read_link(pointer, &link))) {
			*end = KTALLY_END_BROKEN;
			return count;
		}
		if (!link.return_address)
			break;
		if (link.return_address >= TASK_SIZE_MAX) {
			*end = KTALLY_END_BROKEN;
			return count;
		}
		if (count == depth) {
			*end = KTALLY_END_TRUNCATED;
			return count;
		}
		frames[count++] = user_frame(link.return_address - 1);
		above = pointer + 1;
		pointer = link.next;
	}
	*end = KTALLY_END_COMPLETE;
	return count;
}
