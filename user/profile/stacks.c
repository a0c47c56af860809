// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "classify/classify.h"
#include "classify/wait.h"
#include "profile/state.h"

static void set_frame(struct frame *frame, uint64_t raw)
{
	frame->address = raw & KTALLY_FRAME_VALUE_MASK;
	switch (raw >> KTALLY_FRAME_TYPE_SHIFT) {
	case KTALLY_FRAME_KERNEL:
		frame->address |= ~KTALLY_FRAME_VALUE_MASK;
		frame->kind = FRAME_KERNEL;
		break;
	case KTALLY_FRAME_USER:
		frame->kind = FRAME_NATIVE;
		break;
	default:
		frame->kind = FRAME_UNKNOWN;
	}
	frame->object_address = frame->address;
}

/* Only the addresses are kept until the stack is sampled: the sample tells in which program. */
void stacks_announce(struct profile_state *state, const struct ktally_stack *record)
{
	struct map *stacks = &state->profile.stacks;
	struct stack *stack = map_get(stacks, record->stack_id);
	size_t count = (size_t)record->kernel_frames + record->user_frames;

	if (!stack) {
		stack = memory_zeroed(1, sizeof(*stack) + count * sizeof(stack->frames[0]));
		stack->id = record->stack_id;
		stack->mm_id = record->mm_id;
		stack->kernel_frames = record->kernel_frames;
		stack->user_frames = record->user_frames;
		stack->kernel_end = record->kernel_end;
		stack->user_end = record->user_end;
		for (size_t i = 0; i < count; i++)
			set_frame(&stack->frames[i], record->frames[i]);
		map_put(stacks, record->stack_id, stack);
	}
	stack->recent = true;
}

/* A library may have been loaded since the mappings were read. */
static void find_mappings(struct profile_state *state, const struct stack *stack, const struct task *task)
{
	struct space *space = map_get(&state->spaces, stack->mm_id);
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;

	if (!space || task->mm_id != stack->mm_id)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct frame *frame = &stack->frames[i];

		if (frame->kind == FRAME_NATIVE &&
		    !symbols_address_is_mapped(state->profile.symbols, stack->mm_id, frame->address)) {
			space_read_again(state, space, task, frame->address);
			return;
		}
	}
}

static struct stack *without_frames(struct profile_state *state, struct stack *stack)
{
	stack->kernel_frames = 0;
	stack->user_frames = 0;
	stack = memory_resized(stack, 1, sizeof(*stack));
	map_put(&state->profile.stacks, stack->id, stack);
	return stack;
}

/*
 * A caller's address is where it goes on. When the call never returns that can be where the next function begins, and the
 * byte before it tells who called. Only signals "return" to a function's beginning.
 */
static void name_frame(struct symbols *symbols, struct stack *stack, size_t index)
{
	struct frame *frame = &stack->frames[index];
	bool caller = index && index != stack->kernel_frames;

	symbols_name(symbols, stack->mm_id, frame->kind == FRAME_KERNEL, frame);
	if (!caller || !frame->function || frame->function_offset || strstr(frame->function, "restore_rt"))
		return;
	frame->address--;
	symbols_name(symbols, stack->mm_id, frame->kind == FRAME_KERNEL, frame);
	frame->address++;
	frame->object_address++;
	frame->function_offset += frame->function ? 1 : 0;
}

struct stack *stacks_name(struct profile_state *state, struct stack *stack, const struct task *task)
{
	struct profile *profile = &state->profile;
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;

	if (profile->options.live)
		find_mappings(state, stack, task);
	if (profile->options.mappings_only) {
		stack->named = true;
		return without_frames(state, stack);
	}
	for (size_t i = 0; i < count; i++)
		if (stack->frames[i].kind != FRAME_UNKNOWN)
			name_frame(profile->symbols, stack, i);
	classify(stack, task->executable, symbols_runtime(profile->symbols, task->mm_id));
	stack->wait_cause = wait_cause_of_stack(stack);
	stack->named = true;
	if (profile->options.on_stack) {
		stack = profile->options.on_stack(profile->options.context, profile->symbols, stack);
		map_put(&profile->stacks, stack->id, stack);
	}
	profile->stacks_truncated += stack->user_end == KTALLY_END_TRUNCATED;
	profile->stacks_broken += stack->user_end >= KTALLY_END_BROKEN;
	return profile->options.classes_only && !profile->options.cells ? without_frames(state, stack) : stack;
}

bool stacks_resolve(struct profile_state *state, uint64_t stack_id, uint64_t task_id, struct stack **stack, struct known_task **known)
{
	*known = map_get(&state->profile.tasks, task_id);
	*stack = map_get(&state->profile.stacks, stack_id);
	if (!*known || !*stack)
		return false;
	if (!(*stack)->named)
		*stack = stacks_name(state, *stack, &(*known)->task);
	(*stack)->recent = true;
	(*known)->recent = true;
	(*known)->sampled = true;
	return true;
}

void stacks_forget(struct profile_state *state)
{
	struct map *stacks = &state->profile.stacks;

	for (struct map_slot *slot = map_next(stacks, NULL); slot; slot = map_next(stacks, slot)) {
		struct stack *stack = slot->value;

		if (!stack->recent && !(stack->named && state->profile.options.cells)) {
			map_remove(stacks, slot->key);
			free(stack);
		} else {
			stack->recent = false;
		}
	}
}
