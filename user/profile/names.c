// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who holds passing names (base/intern.h): stacks, in their frames and their classes; tasks, their executables; rows of the tallies, in
 * their classes; topics, which are held by sets, which are held by stacks, rows of topics, places of open waits and cells; and the
 * symbols. Cells hold stacks and tasks that are in the maps too. Runtimes, causes, system calls and all that is said of the kernel are
 * for good.
 */
#include "base/intern.h"
#include "classify/topics.h"
#include "profile/state.h"

static void keep_class(const struct class *class)
{
	intern_keep(class->area);
	intern_keep(class->shlib_name);
	intern_keep(class->caller);
}

static void keep_stack(const struct stack *stack)
{
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;

	keep_class(&stack->class);
	topics_keep(stack->topics);
	topics_keep(stack->memo.set);
	for (size_t i = 0; i < count; i++) {
		intern_keep(stack->frames[i].function);
		intern_keep(stack->frames[i].object);
		intern_keep(stack->frames[i].build_id);
	}
}

static void keep_source(const struct profile_source *source)
{
	size_t count;
	struct tally_row **rows = tally_rows(source->tally, &count);
	struct topic_row **topics;

	for (size_t i = 0; i < count; i++)
		keep_class(&rows[i]->class);
	topics = topic_tally_rows(source->topics, &count);
	for (size_t i = 0; i < count; i++)
		topics_keep(topics[i]->set);
	for (struct map_slot *slot = map_next(&source->cells, NULL); slot; slot = map_next(&source->cells, slot))
		topics_keep(((const struct profile_cell *)slot->value)->topics);
}

void names_forget_unused(struct profile_state *state)
{
	struct profile *profile = &state->profile;

	for (struct map_slot *slot = map_next(&profile->stacks, NULL); slot; slot = map_next(&profile->stacks, slot))
		keep_stack(slot->value);
	for (struct map_slot *slot = map_next(&profile->tasks, NULL); slot; slot = map_next(&profile->tasks, slot))
		intern_keep(((const struct task *)slot->value)->executable);
	keep_source(&profile->oncpu);
	keep_source(&profile->offcpu);
	waits_keep_topics(state);
	topics_forget(profile->topics);
	symbols_forget_names(profile->symbols);
	intern_forget();
}
