// SPDX-License-Identifier: GPL-2.0
#include "stack.h"

#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "hash.h"
#include "quota.h"
#include "session.h"
#include "spaces.h"
#include "unwind_user.h"

void ktally_stack_begin(struct ktally_stack_buffer *buffer)
{
	memset(buffer->words, 0, sizeof(struct ktally_stack));
	buffer->file_count = 0;
}

u32 ktally_stack_kernel_depth(const struct ktally_session *session)
{
	if (!(session->setup.capture & KTALLY_CAPTURE_KERNEL))
		return 0;
	return min_t(u32, session->setup.depth, KTALLY_DEPTH_KERNEL_MAX);
}

static bool has_address(const u64 *frames, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (frames[i] >> KTALLY_FRAME_TYPE_SHIFT == KTALLY_FRAME_USER)
			return true;
	return false;
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

void ktally_stack_add_user(struct ktally_stack_buffer *buffer, const struct ktally_session *session,
			   struct task_struct *task, const struct ktally_task *who, const struct pt_regs *regs)
{
	struct ktally_stack *stack = ktally_stack_of(buffer);
	u64 *frames = stack->frames + stack->kernel_frames;
	u32 capture = session->setup.capture, depth = session->setup.depth;
	struct ktally_view view;

	if (!(capture & KTALLY_CAPTURE_USER) || !has_program(current->mm))
		return;
	if (capture & KTALLY_CAPTURE_FILES) {
		ktally_view_begin(&view, current->mm, task, buffer);
		stack->user_frames = ktally_unwind_user(regs, &view, frames, depth, &stack->user_end);
		ktally_view_end(&view);
	} else {
		stack->user_frames = ktally_unwind_user(regs, NULL, frames, depth, &stack->user_end);
	}
	if (stack->user_end == KTALLY_END_TRUNCATED && stack->user_frames < depth)
		ktally_quota_refuse(KTALLY_REFUSED_MAPPINGS);
	if (has_address(frames, stack->user_frames))
		stack->mm_id = who->mm_id;
}

void ktally_stack_finish(struct ktally_stack *stack, const struct ktally_session *session)
{
	const struct ktally_key *key = &session->key;
	unsigned int i, frames = stack->kernel_frames + stack->user_frames;
	u64 hash = ktally_hash_word(key, key->start, stack->mm_id);

	BUILD_BUG_ON(sizeof_field(struct ktally_stack_buffer, words) > KTALLY_RECORD_BYTES_MAX);
	hash = ktally_hash_word(key, hash, (u64)stack->kernel_frames << 32 | (u64)stack->user_frames << 16 |
					   stack->kernel_end << 8 | stack->user_end);
	for (i = 0; i < frames; i++)
		hash = ktally_hash_word(key, hash, stack->frames[i]);
	stack->stack_id = ktally_hash_id(hash);
}
