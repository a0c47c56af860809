/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel stacks: from registers to frames. All functions fill in typed frames as the ABI has them: each address lies
 * inside the instruction that was executing, so a return address is taken back by one.
 */
#ifndef KTALLY_UNWIND_H
#define KTALLY_UNWIND_H

#include <linux/types.h>

struct pt_regs;
struct task_struct;

/* They return the number of frames, at most `depth`, and how the stack ended. */

/* Of the current task, any context, also NMI. */
unsigned int ktally_unwind_kernel(struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end);

/*
 * Of the current task, hard interrupt context: those it has had since before it was switched to.
 * @switched_from is its thread.sp of that time. Like the next, without the frame of the function
 * that switches.
 */
unsigned int ktally_unwind_switched(unsigned long switched_from, u64 *frames, unsigned int depth, u8 *end);

/* Of a task that is held asleep. */
unsigned int ktally_unwind_sleeping(struct task_struct *task, u64 *frames, unsigned int depth, u8 *end);

/* Of the current task: the callers of the function with that __builtin_frame_address(). */
unsigned int ktally_unwind_from(unsigned long *frame, u64 *frames, unsigned int depth, u8 *end);

#endif /* KTALLY_UNWIND_H */
