// SPDX-License-Identifier: GPL-2.0
#include "stack.h"

#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "hash.h"
#include "session.h"
#include "spaces.h"
#include "unwind.h"

void ktally_stack_begin(struct ktally_stack *stack)
{
	memset(stack, 0, sizeof(*stack));
}

u32 ktally_stack_kernel_depth(const struct ktally_session *session)
{
	if (!(session->setup.capture & KTALLY_CAPTURE_KERNEL))
		return 0;
	return min_t(u32, session->setup.depth, KTALLY_DEPTH_KERNEL_MAX);
}

/* True: of all frames. */
static bool make_file_relative(u64 *frames, unsigned int count)
{
	struct ktally_place place;
	struct ktally_view view;
	unsigned int i;
	bool all = true;

	ktally_view_begin(&view, current->mm);
	for (i = 0; i < count; i++) {
		if (ktally_space_find(&view, frames[i] & KTALLY_FRAME_VALUE_MASK, &place))
			frames[i] = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT |
				    (u64)place.number << KTALLY_FRAME_FILE_SHIFT | place.offset;
		else
			all = false;
	}
	ktally_view_end(&view);
	return all;
}

/*
 * In the middle of exec the address space is that of the new program already and the registers are
 * still those of the old: there is no user part. The end of its code is one of the last things that
 * the program's loader sets.
 */
static bool has_program(const struct mm_struct *mm)
{
	return READ_ONCE(mm->end_code);
}

void ktally_stack_add_user(struct ktally_stack *stack, const struct ktally_session *session,
			   const struct ktally_task *who, const struct pt_regs *regs)
{
	u64 *frames = stack->frames + stack->kernel_frames;

	if (!(session->setup.capture & KTALLY_CAPTURE_USER) || !has_program(current->mm))
		return;
	stack->user_frames = ktally_unwind_user(regs, frames, session->setup.depth, &stack->user_end);
	if (!stack->user_frames)
		return;
	if (!(session->setup.capture & KTALLY_CAPTURE_FILES) || !make_file_relative(frames, stack->user_frames))
		stack->mm_id = who->mm_id;
}

void ktally_stack_finish(struct ktally_stack *stack, const struct ktally_session *session)
{
	const struct ktally_key *key = &session->key;
	unsigned int i, frames = stack->kernel_frames + stack->user_frames;
	u64 hash = ktally_hash_word(key, key->start, stack->mm_id);

	BUILD_BUG_ON(sizeof(struct ktally_stack_buffer) > KTALLY_RECORD_BYTES_MAX);
	hash = ktally_hash_word(key, hash, (u64)stack->kernel_frames << 32 | (u64)stack->user_frames << 16 |
					   stack->kernel_end << 8 | stack->user_end);
	for (i = 0; i < frames; i++)
		hash = ktally_hash_word(key, hash, stack->frames[i]);
	stack->stack_id = ktally_hash_id(hash);
}
