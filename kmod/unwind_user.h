/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User stacks, by unwind tables where there are some and by frame pointers where there are none: see "User
 * stacks and unwind tables" in the ABI. Compiles in user space as well (tests/unwind).
 */
#ifndef KTALLY_UNWIND_USER_H
#define KTALLY_UNWIND_USER_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "kernel.h"
#endif

struct ktally_view;
struct pt_regs;

/*
 * Current task, hard interrupt or task context, never NMI: reads user memory, does not fault it in.
 * Typed frames, at most @depth of them; each address lies inside the instruction that was executing.
 * @view: of its address space, for file-relative frames and for tables. NULL: neither is wanted.
 * Truncated before @depth: it went through KTALLY_UNWIND_MAPPINGS mappings.
 */
unsigned int ktally_unwind_user(const struct pt_regs *regs, struct ktally_view *view, u64 *frames,
				unsigned int depth, u8 *end);

#endif /* KTALLY_UNWIND_USER_H */
