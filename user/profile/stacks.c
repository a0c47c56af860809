// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "classify/classify.h"
#include "classify/topics.h"
#include "classify/wait.h"
#include "profile/state.h"

const char *const stack_end_names[STACK_ENDS] = {
	[KTALLY_END_NONE] = "none", [KTALLY_END_COMPLETE] = "complete", [KTALLY_END_TRUNCATED] = "truncated",
	[KTALLY_END_BROKEN] = "broken", [KTALLY_END_HOLE] = "hole", [KTALLY_END_NO_TABLE] = "no_table",
	[KTALLY_END_FOREIGN] = "foreign",
};

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
	case KTALLY_FRAME_FILE:
		frame->kind = FRAME_NATIVE;
		frame->file = (uint32_t)(frame->address >> KTALLY_FRAME_FILE_SHIFT);
		frame->address &= KTALLY_FRAME_OFFSET_MASK;
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

		if (frame->kind == FRAME_NATIVE && !frame->file &&
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

/* One that was sampled before a file of its own could be read is named once more when it is sampled again. */
struct stack *stacks_name(struct profile_state *state, struct stack *stack, const struct task *task)
{
	struct profile *profile = &state->profile;
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;
	bool awaited = false, incomplete = false;

	if (profile->options.live)
		find_mappings(state, stack, task);
	if (profile->options.mappings_only) {
		stack->named = true;
		return without_frames(state, stack);
	}
	for (size_t i = 0; i < count; i++) {
		if (stack->frames[i].kind != FRAME_UNKNOWN)
			symbols_name(profile->symbols, stack->mm_id, stack->frames[i].kind == FRAME_KERNEL, &stack->frames[i]);
		awaited |= symbols_are_awaited(profile->symbols, stack->frames[i].file);
		incomplete |= symbols_are_downloading(profile->symbols, stack->frames[i].file);
	}
	stack->memo = (struct stack_memo){ .row = NULL };
	classify(stack, task->executable, symbols_runtime(profile->symbols, task->mm_id));
	stack->topics = topics_of_stack(profile->topics, stack, task->executable, symbols_runtime(profile->symbols, task->mm_id));
	stack->wait_cause = wait_cause_of_stack(stack);
	stack->named = !awaited;
	state->files_awaited |= awaited;
	if (profile->options.on_stack) {
		stack = profile->options.on_stack(profile->options.context, profile->symbols, stack);
		map_put(&profile->stacks, stack->id, stack);
	}
	if (!stack->named || incomplete || !profile->options.classes_only || profile->options.cells)
		return stack;
	return without_frames(state, stack);
}

bool stacks_resolve(struct profile_state *state, uint64_t stack_id, uint64_t task_id, struct stack **stack, struct known_task **known)
{
	*known = map_get(&state->profile.tasks, task_id);
	*stack = map_get(&state->profile.stacks, stack_id);
	if (!*known || !*stack)
		return false;
	if (!(*known)->sampled)
		space_first_sampled(state, *known);
	if (!(*stack)->named)
		*stack = stacks_name(state, *stack, &(*known)->task);
	(*stack)->recent = true;
	(*known)->recent = true;
	(*known)->sampled = true;
	return true;
}

static void name_cells(struct profile_state *state, const struct map *cells)
{
	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot)) {
		const struct profile_cell *cell = slot->value;

		if (!cell->stack->named)
			stacks_name(state, map_get(&state->profile.stacks, cell->stack->id), cell->task);
	}
}

void stacks_name_late(struct profile_state *state)
{
	if (!state->files_awaited)
		return;
	state->files_awaited = false;
	name_cells(state, &state->profile.oncpu.cells);
	name_cells(state, &state->profile.offcpu.cells);
}

/* A download may take minutes, in which a stack keeps the names it has rather than be named at each sample. */
void stacks_name_again(struct profile_state *state, uint32_t number)
{
	struct map *stacks = &state->profile.stacks;

	for (struct map_slot *slot = map_next(stacks, NULL); slot; slot = map_next(stacks, slot)) {
		struct stack *stack = slot->value;
		size_t count = (size_t)stack->kernel_frames + stack->user_frames;

		for (size_t i = stack->kernel_frames; i < count && stack->named; i++)
			stack->named = stack->frames[i].file != number;
		state->files_awaited |= !stack->named;
	}
}

void stacks_forget_rows(struct profile_state *state)
{
	struct map *stacks = &state->profile.stacks;

	for (struct map_slot *slot = map_next(stacks, NULL); slot; slot = map_next(stacks, slot))
		((struct stack *)slot->value)->memo = (struct stack_memo){ .row = NULL };
}

/* Frames that have names do not need their files any more, but for what people ask of a cell. */
void stacks_forget(struct profile_state *state)
{
	struct map *stacks = &state->profile.stacks;

	for (struct map_slot *slot = map_next(stacks, NULL); slot; slot = map_next(stacks, slot)) {
		struct stack *stack = slot->value;

		if (!stack->recent && !(stack->topics && state->profile.options.cells)) {
			map_remove(stacks, slot->key);
			free(stack);
		} else {
			stack->recent = false;
		}
	}
	if (!state->profile.options.cells)
		symbols_forget_files(state->profile.symbols);
}
