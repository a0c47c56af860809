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

	if (!space || task->mm_id != stack->mm_id || !space_take_late(state, space))
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

/*
 * Whoever looks at frames in the end can wait for names that take time. A daemon cannot: those who want them would have it name their
 * stacks again and again.
 */
static bool can_come_late(const struct profile *profile)
{
	return !profile->options.classes_only && !profile->options.frame_bytes;
}

/* What its frames lack that may come. */
struct lack {
	bool awaited, incomplete;
};

static struct lack name_frames(struct profile_state *state, struct stack *stack)
{
	struct profile *profile = &state->profile;
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;
	struct lack lack = { .awaited = space_is_awaited(map_get(&state->spaces, stack->mm_id)) };
	bool unmapped = lack.awaited;

	for (size_t i = 0; i < count; i++) {
		struct frame *frame = &stack->frames[i];
		bool native = frame->kind == FRAME_NATIVE;

		if (frame->kind != FRAME_UNKNOWN)
			symbols_name(profile->symbols, stack->mm_id, frame->kind == FRAME_KERNEL, frame);
		/* It is unknown for good only by mappings that are known. */
		if (native && unmapped && frame->kind == FRAME_UNKNOWN)
			frame->kind = FRAME_NATIVE;
		lack.awaited |= symbols_are_awaited(profile->symbols, frame->file) ||
				(frame->kind == FRAME_ANONYMOUS && !frame->function && can_come_late(profile) &&
				 symbols_are_unread(profile->symbols, stack->mm_id));
		lack.incomplete |= symbols_are_downloading(profile->symbols, frame->file);
	}
	return lack;
}

/* Of a flood no stack comes twice; of those that do come again, so many keep their frames until there is time. */
#define HURRIED_MOST	2000

static void set_hurried(struct profile_state *state, struct stack *stack, bool hurried)
{
	state->hurried += hurried;
	state->hurried -= stack->hurried;
	stack->hurried = hurried;
}

/* There is no time for more than the kernel's. */
static struct lack name_kernel_frames(struct profile_state *state, struct stack *stack, const struct pool_holder *holder)
{
	struct profile *profile = &state->profile;

	for (size_t i = 0; i < stack->kernel_frames; i++)
		symbols_name(profile->symbols, stack->mm_id, true, &stack->frames[i]);
	profile->stacks_hurried++;
	profile->hurried_user = holder->user;
	set_hurried(state, stack, state->hurried < HURRIED_MOST || can_come_late(profile));
	return (struct lack){ .awaited = stack->hurried };
}

/* Once, however often it is named. */
static void keep_frames(struct profile_state *state, struct stack *stack)
{
	struct profile *profile = &state->profile;
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;
	struct pool_holder holder;

	if (!profile->options.cells || stack->topics)
		return;
	symbols_get_holder(profile->symbols, stack->mm_id, &holder);
	stack->unkept = !pool_take(&state->frames, &holder, sizeof(*stack) + count * sizeof(stack->frames[0]));
	if (!stack->unkept)
		return;
	profile->stacks_refused++;
	profile->hurried_user = holder.user;
}

const struct stack *stacks_kept(struct profile_state *state, const struct stack *stack)
{
	if (!stack->unkept)
		return stack;
	if (!state->unkept) {
		state->unkept = memory_zeroed(1, sizeof(*state->unkept));
		state->unkept->named = true;
		state->unkept->class.area = intern("unknown");
	}
	return state->unkept;
}

/* By the names that it has; and the runtime of its program, which takes a look at all its mappings. */
static void classify_stack(struct profile *profile, struct stack *stack, const struct task *task, const char *runtime)
{
	stack->memo = (struct stack_memo){ .row = NULL };
	classify(stack, task->executable, runtime);
	stack->topics = topics_of_stack(profile->topics, stack, task->executable, runtime);
	stack->wait_cause = wait_cause_of_stack(stack);
}

static struct lack name_in_turn(struct profile_state *state, struct stack *stack, const struct task *task)
{
	struct profile *profile = &state->profile;
	struct pool_holder holder;
	struct lack lack;
	uint64_t began;

	symbols_get_holder(profile->symbols, stack->mm_id, &holder);
	if (!turns_has(&state->turns, &holder)) {
		lack = name_kernel_frames(state, stack, &holder);
		classify_stack(profile, stack, task, symbols_known_runtime(profile->symbols, task->mm_id));
		return lack;
	}
	set_hurried(state, stack, false);
	began = turns_begin();
	lack = name_frames(state, stack);
	classify_stack(profile, stack, task, symbols_runtime(profile->symbols, task->mm_id));
	turns_end(&state->turns, &holder, began);
	return lack;
}

/* One that was sampled before a file of its own could be read is named once more when it is sampled again. */
struct stack *stacks_name(struct profile_state *state, struct stack *stack, const struct task *task)
{
	struct profile *profile = &state->profile;
	struct lack lack;

	profile->stacks_named++;
	if (profile->options.live)
		find_mappings(state, stack, task);
	if (profile->options.mappings_only) {
		stack->named = true;
		return without_frames(state, stack);
	}
	keep_frames(state, stack);
	symbols_were_awaited(profile->symbols);
	lack = name_in_turn(state, stack, task);
	lack.awaited |= symbols_were_awaited(profile->symbols);
	stack->named = !lack.awaited || stack->unkept;
	state->files_awaited |= !stack->named && (!stack->hurried || can_come_late(profile));
	if (profile->options.on_stack) {
		stack = profile->options.on_stack(profile->options.context, profile->symbols, stack);
		map_put(&profile->stacks, stack->id, stack);
	}
	if (!stack->named || (!stack->unkept && (lack.incomplete || !profile->options.classes_only || profile->options.cells)))
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

		if (!cell->stack->named && (!cell->stack->hurried || can_come_late(&state->profile)))
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

		if (!stack->recent && (stack->unkept || !(stack->topics && state->profile.options.cells))) {
			map_remove(stacks, slot->key);
			state->hurried -= stack->hurried;
			free(stack);
		} else {
			stack->recent = false;
		}
	}
	map_trim(stacks);
	if (!state->profile.options.cells)
		symbols_forget_files(state->profile.symbols);
}
