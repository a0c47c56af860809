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
	profile->oncpu.tally = tally_create(0);
	profile->offcpu.tally = tally_create(0);
	profile->thin = 1;
	if (options->live)
		symbols_use_own_vdso(profile->symbols);
	return profile;
}

const struct profile_source *profile_source(const struct profile *profile, uint32_t source)
{
	return source == KTALLY_SOURCE_OFFCPU ? &profile->offcpu : &profile->oncpu;
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
	free_values(&profile->oncpu.cells);
	free_values(&profile->offcpu.cells);
	waits_free(state_of(profile));
	free_values(&profile->stacks);
	free_values(&state_of(profile)->spaces);
	tasks_free(state_of(profile));
	tally_destroy(profile->oncpu.tally);
	tally_destroy(profile->offcpu.tally);
	symbols_destroy(profile->symbols);
	free(profile);
}

static struct profile_cell *cell_for(struct profile_source *source, const struct stack *stack, const struct task *task,
				     const char *cause)
{
	uint64_t key = hash_words(hash_words(stack->id, task->id), (uintptr_t)cause);
	struct profile_cell *cell;

	/* Two whose keys are equal by chance get neighbouring ones. */
	while ((cell = map_get(&source->cells, key)) &&
	       (cell->stack != stack || cell->task != task || cell->cause != cause))
		key++;
	if (!cell) {
		cell = memory_zeroed(1, sizeof(*cell));
		cell->stack = stack;
		cell->task = task;
		cell->cause = cause;
		map_put(&source->cells, key, cell);
	}
	return cell;
}

struct place place_for(struct profile *profile, struct profile_source *source, const struct stack *stack, const struct task *task,
		       const char *syscall, const char *cause)
{
	struct class class = stack ? stack->class : (struct class){ .area = intern("unknown") };
	struct place place = { .source = source };

	class.cause = cause;
	place.row = tally_row(source->tally, task ? task->process_name : intern("unknown"), &class,
			      syscall ? syscall : class.syscall_name);
	if (profile->options.cells && stack && task)
		place.cell = cell_for(source, stack, task, cause);
	return place;
}

void place_add(const struct place *place, uint64_t samples, uint64_t weight)
{
	tally_add(place->source->tally, place->row, samples, weight);
	place->source->weight += weight;
	if (place->cell) {
		place->cell->samples += samples;
		place->cell->weight += weight;
	}
}

static bool feed_sample(struct profile *profile, const struct ktally_sample *record, struct profile_sample *sample)
{
	struct known_task *known;
	struct stack *stack;
	struct place place;
	const char *syscall = record->syscall < 0 ? NULL :
			      syscall_name(record->syscall, record->header.flags & KTALLY_SAMPLE_COMPAT);
	bool resolved = stacks_resolve(state_of(profile), record->stack_id, record->task_id, &stack, &known);

	if (!profile->first_time || record->time < profile->first_time)
		profile->first_time = record->time;
	if (record->time > profile->last_time)
		profile->last_time = record->time;
	profile->oncpu.samples++;
	if (!resolved) {
		profile->orphans++;
		place = place_for(profile, &profile->oncpu, NULL, NULL, syscall, NULL);
		place_add(&place, 1, record->weight);
		return false;
	}
	place = place_for(profile, &profile->oncpu, stack, &known->task, syscall, NULL);
	place_add(&place, 1, record->weight);
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
	case KTALLY_RECORD_OFFCPU:
		waits_feed(state_of(profile), (const void *)record);
		break;
	case KTALLY_RECORD_STACK:
		stacks_announce(state_of(profile), (const void *)record);
		break;
	case KTALLY_RECORD_TASK:
		tasks_announce(state_of(profile), (const void *)record);
		break;
	case KTALLY_RECORD_EXIT:
		tasks_exit(state_of(profile), (const void *)record);
		waits_exit(state_of(profile), (const void *)record);
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
