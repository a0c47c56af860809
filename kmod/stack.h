/* SPDX-License-Identifier: GPL-2.0 */
/* A stack on its way to be a STACK record: what on-CPU samples and waits have in common. */
#ifndef KTALLY_STACK_H
#define KTALLY_STACK_H

#include <linux/ktally.h>
#include <linux/types.h>

struct ktally_session;
struct pt_regs;
struct task_struct;

#define KTALLY_FRAMES_MAX (KTALLY_DEPTH_KERNEL_MAX + KTALLY_DEPTH_MAX)

/**
 * struct ktally_stack_buffer - a stack, and what was found on the way to it
 * @words: room for a struct ktally_stack with all its frames
 * @file_count: of @files
 * @files: numbers of those that the user frames are in, in the order of the frames; some more than once. By them the
 *	files are told: frames by turns in a few files would have each be looked for once a frame
 */
struct ktally_stack_buffer {
	u64 words[sizeof(struct ktally_stack) / sizeof(u64) + KTALLY_FRAMES_MAX];
	u32 file_count;
	u32 files[KTALLY_UNWIND_MAPPINGS];
};

static inline struct ktally_stack *ktally_stack_of(struct ktally_stack_buffer *buffer)
{
	return (struct ktally_stack *)buffer->words;
}

/* Empty, without frames. */
void ktally_stack_begin(struct ktally_stack_buffer *buffer);

/* Most kernel frames of this session's stacks; 0: none are wanted. */
u32 ktally_stack_kernel_depth(const struct ktally_session *session);

/*
 * Adds the user frames if they are wanted, after the kernel's: of the address space that is current,
 * from these registers of the task, which @who describes.
 */
void ktally_stack_add_user(struct ktally_stack_buffer *buffer, const struct ktally_session *session,
			   struct task_struct *task, const struct ktally_task *who, const struct pt_regs *regs);

/* The last step: gives the stack its id. */
void ktally_stack_finish(struct ktally_stack *stack, const struct ktally_session *session);

#endif /* KTALLY_STACK_H */
