/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From registers to frames. Both functions fill in typed frames as the ABI has them: each address lies inside the
 * instruction that was executing, so a return address is taken back by one.
 */
#ifndef KTALLY_UNWIND_H
#define KTALLY_UNWIND_H

#include <linux/types.h>

struct pt_regs;

/* Current task, any context, also NMI. Returns the number of frames, at most `depth`, and how the stack ended. */
unsigned int ktally_unwind_kernel(struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end);

/* Current task, hard interrupt or task context, never NMI: reads user memory, does not fault it in. */
unsigned int ktally_unwind_user(const struct pt_regs *regs, u64 *frames, unsigned int depth, u8 *end);

#endif /* KTALLY_UNWIND_H */
