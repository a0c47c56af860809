// SPDX-License-Identifier: GPL-2.0
#include "stack.h"

#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "hash.h"
#include "session.h"
#include "unwind_user.h"

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

void ktally_stack_add_user(struct ktally_stack *stack, const struct ktally_session *session,
			   const struct ktally_task *who, const struct pt_regs *regs)
{
	if (!(session->setup.capture & KTALLY_CAPTURE_USER))
		return;
	stack->user_frames = ktally_unwind_user(regs, NULL, stack->frames + stack->kernel_frames,
						session->setup.depth, &stack->user_end);
	if (stack->user_frames)
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
