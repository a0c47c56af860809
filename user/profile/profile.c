// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "classify/classify.h"
#include "classify/topics.h"
#include "profile/state.h"

#define SERIES_DEFAULT 50000

/* Most owners have some areas and causes each. */
#define OWNERS_SHARE 10

static struct profile_source create_source(const struct profile *profile)
{
	const struct owner *other = owners_other(profile->owners);

	return (struct profile_source){
		.tally = tally_create(profile->class_series, other),
		.topics = topic_tally_create(profile->topic_series, profile->topics, other),
	};
}

struct profile *profile_create(const struct profile_options *options)
{
	struct profile_state *state = memory_zeroed(1, sizeof(*state));
	struct profile *profile = &state->profile;
	size_t series = options->series ? options->series : SERIES_DEFAULT;

	profile->options = *options;
	profile->symbols = symbols_create(options->symbol_bytes);
	profile->owners = owners_create(options->level, series / OWNERS_SHARE);
	/* Half of them each, so that neither leaves no room to the other. */
	profile->class_series = series_create(series / 2);
	profile->topic_series = series_create(series - series / 2);
	profile->cgroups = cgroups_create(options->live);
	profile->topics = topics_create(options->categories);
	profile->oncpu = create_source(profile);
	profile->offcpu = create_source(profile);
	profile->thin = 1;
	state->accounts_read = UINT64_MAX;
	state->frames = (struct pool){ .most = options->frame_bytes ? options->frame_bytes : SIZE_MAX, .undivided = !options->frame_bytes };
	if (options->live) {
		symbols_use_own_vdso(profile->symbols);
		symbols_divide(profile->symbols);
		owners_divide(profile->owners);
	}
	return profile;
}

const struct profile_source *profile_source(const struct profile *profile, uint32_t source)
{
	return source == KTALLY_SOURCE_OFFCPU ? &profile->offcpu : &profile->oncpu;
}

void profile_destroy(struct profile *profile)
{
	if (!profile)
		return;
	map_free_values(&profile->oncpu.cells);
	map_free_values(&profile->offcpu.cells);
	waits_free(state_of(profile));
	map_free_values(&profile->stacks);
	free(state_of(profile)->unkept);
	spaces_free(state_of(profile));
	tasks_free(state_of(profile));
	cgroups_destroy(profile->cgroups);
	tally_destroy(profile->oncpu.tally);
	tally_destroy(profile->offcpu.tally);
	topic_tally_destroy(profile->oncpu.topics);
	topic_tally_destroy(profile->offcpu.topics);
	series_destroy(profile->class_series);
	series_destroy(profile->topic_series);
	topics_destroy(profile->topics);
	owners_destroy(profile->owners);
	symbols_destroy(profile->symbols);
	turns_free(&state_of(profile)->turns);
	pool_free(&state_of(profile)->frames);
	free(profile);
}

static struct profile_cell *cell_for(struct profile_source *source, const struct stack *stack, const struct task *task,
				     const char *cause, const struct topic_set *topics)
{
	uint64_t key = hash_words(hash_words(stack->id, task->id), hash_words((uintptr_t)cause, (uintptr_t)topics));
	struct profile_cell *cell;

	/* Two whose keys are equal by chance get neighbouring ones. */
	while ((cell = map_get(&source->cells, key)) &&
	       (cell->stack != stack || cell->task != task || cell->cause != cause || cell->topics != topics))
		key++;
	if (!cell) {
		cell = memory_zeroed(1, sizeof(*cell));
		cell->stack = stack;
		cell->task = task;
		cell->cause = cause;
		cell->topics = topics;
		map_put(&source->cells, key, cell);
	}
	return cell;
}

static bool keeps_cells(const struct profile *profile, const struct task *task)
{
	const char *process = profile->options.process, *service = profile->options.service, *its;

	if (!profile->options.cells || (process && strcmp(process, task->process_name)))
		return false;
	its = service ? task->owner->values[OWNER_SERVICE] : NULL;
	return !service || (its && !strcmp(service, its));
}

struct place place_for(struct profile *profile, struct profile_source *source, const struct stack *stack, const struct task *task,
		       const char *syscall, const char *cause)
{
	struct class class = stack ? stack->class : (struct class){ .area = intern("unknown") };
	struct place place = { .source = source };

	class.cause = cause;
	place.row = tally_row(source->tally, task ? task->owner : owners_unknown(profile->owners), &class,
			      syscall ? syscall : class.syscall_name);
	if (stack && stack->topics && task) {
		place.set = topics_in_syscall(profile->topics, stack->topics, syscall);
		place.topics = topic_tally_row(source->topics, task->owner, place.set, cause);
	}
	if (stack && task && keeps_cells(profile, task))
		place.cell = cell_for(source, stacks_kept(state_of(profile), stack), task, cause, place.set);
	return place;
}

/* The same for what ran, mostly without looking anything up. */
static struct place oncpu_place(struct profile *profile, struct stack *stack, const struct task *task, const char *syscall)
{
	struct stack_memo *memo = &stack->memo;
	struct place place = { .source = &profile->oncpu, .row = memo->row, .topics = memo->topics, .set = memo->set };

	if (memo->row && memo->owner == task->owner && memo->syscall == syscall) {
		if (keeps_cells(profile, task))
			place.cell = cell_for(&profile->oncpu, stacks_kept(state_of(profile), stack), task, NULL, place.set);
		return place;
	}
	place = place_for(profile, &profile->oncpu, stack, task, syscall, NULL);
	*memo = (struct stack_memo){ task->owner, syscall, place.row, place.topics, place.set };
	return place;
}

void place_add(const struct place *place, uint64_t samples, uint64_t weight)
{
	tally_add(place->source->tally, place->row, samples, weight);
	place->source->weight += weight;
	if (place->topics)
		place->topics->weight += weight;
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
		if (record->time > state_of(profile)->accounts_read)
			accounts_leave(state_of(profile), NULL, record->weight);
		return false;
	}
	if (stack->user_end < STACK_ENDS)
		profile->user_ends[stack->user_end]++;
	place = oncpu_place(profile, stack, &known->task, syscall);
	place_add(&place, 1, record->weight);
	if (known->cgroup)
		known->cgroup->sampled += record->weight;
	if (record->time > state_of(profile)->accounts_read)
		accounts_leave(state_of(profile), known->cgroup, record->weight);
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

/* Whoever could open it has told more of it before. */
static void feed_file(struct profile *profile, const struct ktally_file *record)
{
	const struct symbols_file file = { .identity = *record, .path = "", .error = -ENOENT, .awaited = true, .fd = -1 };

	if (!symbols_find_file(profile->symbols, record->file))
		symbols_set_file(profile->symbols, &file);
}

/* In two steps: when the second begins, what it needs is on its way for all of them. What a sample needs of a stack spans two lines. */
void profile_look_ahead(const struct profile *profile, const struct ktally_record *const *records, unsigned int count)
{
	const struct stack *stacks[PROFILE_AHEAD];
	unsigned int found = 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct ktally_sample *sample = (const void *)records[i];

		stacks[found] = sample->header.type == KTALLY_RECORD_SAMPLE ? map_get(&profile->stacks, sample->stack_id) : NULL;
		if (!stacks[found])
			continue;
		__builtin_prefetch(stacks[found], 1);
		__builtin_prefetch(&stacks[found]->memo.topics, 1);
		found++;
	}
	for (unsigned int i = 0; i < found; i++) {
		__builtin_prefetch(stacks[i]->memo.row, 1);
		__builtin_prefetch(stacks[i]->memo.topics, 1);
	}
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
	case KTALLY_RECORD_FILE:
		feed_file(profile, (const void *)record);
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

void profile_take_mappings(struct profile *profile)
{
	spaces_take_late(state_of(profile));
}

void profile_name_late(struct profile *profile)
{
	profile_set_pressure(profile, PROFILE_AT_EASE);
	spaces_take_late(state_of(profile));
	stacks_name_late(state_of(profile));
}

void profile_read_mappings(struct profile *profile)
{
	struct map *spaces = &state_of(profile)->spaces;

	for (struct map_slot *slot = map_next(spaces, NULL); slot; slot = map_next(spaces, slot)) {
		struct space *space = slot->value;

		for (struct known_task *known = space->tasks; known; known = known->next_in_space)
			if (!known->ended) {
				space_read(state_of(profile), space, &known->task);
				break;
			}
	}
}

void profile_name_again(struct profile *profile, uint32_t file)
{
	stacks_name_again(state_of(profile), file);
}

void profile_forget(struct profile *profile)
{
	stacks_forget(state_of(profile));
	tasks_forget(state_of(profile));
	owners_forget_unused(state_of(profile));
	names_forget_unused(state_of(profile));
}

void profile_forget_names(struct profile *profile)
{
	names_forget_unused(state_of(profile));
}

void profile_set_pressure(struct profile *profile, enum profile_pressure pressure)
{
	state_of(profile)->turns.pressure = pressure;
}
