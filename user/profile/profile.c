// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "classify/classify.h"
#include "profile/state.h"

struct profile *profile_create(const struct profile_options *options)
{
	struct profile_state *state = memory_zeroed(1, sizeof(*state));
	struct profile *profile = &state->profile;

	profile->options = *options;
	profile->symbols = symbols_create(options->symbol_bytes);
	profile->tally = tally_create(0);
	profile->thin = 1;
	if (options->live)
		symbols_use_own_vdso(profile->symbols);
	return profile;
}

static void free_values(struct map *map)
{
	for (struct map_slot *slot = map_next(map, NULL); slot; slot = map_next(map, slot))
		free(slot->value);
	map_free(map);
}

void profile_destroy(struct profile *profile)
{
	if (!profile)
		return;
	free_values(&profile->cells);
	free_values(&profile->stacks);
	free_values(&state_of(profile)->spaces);
	tasks_free(state_of(profile));
	tally_destroy(profile->tally);
	symbols_destroy(profile->symbols);
	free(profile);
}

static void add_cell(struct profile *profile, const struct stack *stack, const struct task *task, uint64_t weight)
{
	uint64_t key = hash_words(stack->id, task->id);
	struct profile_cell *cell;

	/* Two pairs whose keys are equal by chance get neighbouring ones. */
	while ((cell = map_get(&profile->cells, key)) && (cell->stack != stack || cell->task != task))
		key++;
	if (!cell) {
		cell = memory_zeroed(1, sizeof(*cell));
		cell->stack = stack;
		cell->task = task;
		map_put(&profile->cells, key, cell);
	}
	cell->samples++;
	cell->weight += weight;
}

static bool orphan(struct profile *profile, const struct ktally_sample *record, const char *syscall)
{
	const struct class unknown = { .area = "unknown" };

	profile->orphans++;
	tally_add(profile->tally, intern("unknown"), &unknown, syscall, 1, record->weight);
	return false;
}

static bool feed_sample(struct profile *profile, const struct ktally_sample *record, struct profile_sample *sample)
{
	struct known_task *known = map_get(&profile->tasks, record->task_id);
	struct stack *stack = map_get(&profile->stacks, record->stack_id);
	const char *syscall = record->syscall < 0 ? NULL :
			      syscall_name(record->syscall, record->header.flags & KTALLY_SAMPLE_COMPAT);

	profile->samples++;
	profile->weight += record->weight;
	if (!profile->first_time || record->time < profile->first_time)
		profile->first_time = record->time;
	if (record->time > profile->last_time)
		profile->last_time = record->time;
	if (!known || !stack)
		return orphan(profile, record, syscall);

	if (!stack->named)
		stack = stacks_name(state_of(profile), stack, &known->task);
	stack->recent = true;
	known->recent = true;
	known->sampled = true;
	tally_add(profile->tally, known->task.process_name, &stack->class,
		  syscall ? syscall : stack->class.syscall_name, 1, record->weight);
	if (profile->options.cells)
		add_cell(profile, stack, &known->task, record->weight);
	if (sample)
		*sample = (struct profile_sample){
			.record = record,
			.stack = stack,
			.task = &known->task,
			.syscall = syscall,
		};
	return true;
}

static void feed_lost(struct profile *profile, const struct ktally_lost *record)
{
	struct ktally_loss *loss;

	if (record->cause >= KTALLY_LOST_CAUSES) {
		profile->bad_records++;
		return;
	}
	loss = &profile->lost[record->cause];
	loss->count += record->loss.count;
	loss->weight += record->loss.weight;
}

bool profile_feed(struct profile *profile, const struct ktally_record *record, struct profile_sample *sample)
{
	switch (record->type) {
	case KTALLY_RECORD_SAMPLE:
		return feed_sample(profile, (const void *)record, sample);
	case KTALLY_RECORD_STACK:
		stacks_announce(state_of(profile), (const void *)record);
		break;
	case KTALLY_RECORD_TASK:
		tasks_announce(state_of(profile), (const void *)record);
		break;
	case KTALLY_RECORD_EXIT:
		tasks_exit(state_of(profile), (const void *)record);
		break;
	case KTALLY_RECORD_LOST:
		feed_lost(profile, (const void *)record);
		break;
	case KTALLY_RECORD_THROTTLE:
		profile->throttles++;
		profile->thin = ((const struct ktally_throttle *)record)->thin;
		break;
	default:
		break;		/* of a newer module */
	}
	return false;
}

void profile_forget(struct profile *profile)
{
	stacks_forget(state_of(profile));
	tasks_forget(state_of(profile));
}
