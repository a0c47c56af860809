// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waits, see "Waits" in <linux/ktally.h>. A wait that goes on is added up in pieces: what had passed when it was told, what passed
 * since at each profile_extend_waits(), and at its end what is left of the whole. So at any time the sum is right to the last
 * flush, and in the end it is that of the record which ends it.
 *
 * Two rings are read one after the other, so the end of a wait may be read before the record that told of it. What is known of
 * a thread therefore outlives its wait: it begins none that is not later than the last one it ended.
 */
#include <stdlib.h>

#include "base/message.h"
#include "classify/classify.h"
#include "classify/topics.h"
#include "classify/wait.h"
#include "profile/state.h"

struct thread_wait {
	uint64_t start;			/* of the last wait that was told before its end; 0: none was */
	uint64_t counted;		/* ns of it that are added up */
	struct place place;		/* where */
	bool is_open;			/* it goes on, as far as is known */
	uint64_t ended_start;		/* the beginning of the last wait that ended */
	bool doubtful;			/* not told again yet */
	bool recent;			/* since the last profile_end_doubtful_waits() */
};

static struct thread_wait *wait_of(struct profile_state *state, uint32_t tid)
{
	struct thread_wait *wait = map_get(&state->waits, tid);

	if (!wait) {
		wait = memory_zeroed(1, sizeof(*wait));
		map_put(&state->waits, tid, wait);
	}
	wait->recent = true;
	return wait;
}

static void note_times(struct profile *profile, const struct ktally_offcpu *record)
{
	if (!profile->first_time || record->start < profile->first_time)
		profile->first_time = record->start;
	if (record->time > profile->last_time)
		profile->last_time = record->time;
}

/* Where time of a record goes: blocked for its cause, and the rest to the run queue. */
struct split {
	struct place blocked, run_queue;
};

static struct split places_of(struct profile_state *state, const struct ktally_offcpu *record, struct known_task **known)
{
	struct profile *profile = &state->profile;
	bool compat = record->header.flags & KTALLY_OFFCPU_COMPAT;
	const char *syscall = record->syscall < 0 ? NULL : syscall_name(record->syscall, compat);
	const struct task *task = NULL;
	struct stack *stack;
	struct split split;
	const char *run_queue = intern(WAIT_CAUSE_RUN_QUEUE), *cause = run_queue;

	if (stacks_resolve(state, record->stack_id, record->task_id, &stack, known)) {
		task = &(*known)->task;
	} else {
		profile->orphans++;
		*known = NULL;
		stack = NULL;
	}
	if (record->blocked)
		cause = wait_cause(stack ? stack->wait_cause : NULL, record->state, syscall);
	split.blocked = place_for(profile, &profile->offcpu, stack, task, syscall, cause);
	split.run_queue = split.blocked;
	if (record->blocked && record->run_queue)
		split.run_queue = place_for(profile, &profile->offcpu, stack, task, syscall, run_queue);
	return split;
}

/* What a record stands for, in the proportions of the one wait that it is. */
static uint64_t run_queue_part(const struct ktally_offcpu *record, uint64_t weight)
{
	unsigned __int128 part = (unsigned __int128)weight * record->run_queue;
	uint64_t whole = record->blocked + record->run_queue;

	return whole ? (uint64_t)(part / whole) : 0;
}

static void goes_on(struct thread_wait *wait, const struct ktally_offcpu *record, const struct split *split)
{
	const struct place *place = record->blocked ? &split->blocked : &split->run_queue;
	uint64_t passed = record->weight;
	bool is_new = wait->start != record->start;

	if (record->start <= wait->ended_start)
		return;
	if (is_new) {
		wait->start = record->start;
		wait->counted = 0;
		wait->place = *place;
	}
	wait->is_open = true;
	wait->doubtful = false;
	place_add(&wait->place, is_new, passed > wait->counted ? passed - wait->counted : 0);
	if (passed > wait->counted)
		wait->counted = passed;
}

static void ends(struct thread_wait *wait, const struct ktally_offcpu *record, const struct split *split)
{
	uint64_t run_queue = run_queue_part(record, record->weight), left = record->weight;
	bool was_told = wait->start == record->start;

	if (was_told) {
		left = record->weight > wait->counted ? record->weight - wait->counted : 0;
		/* While it went on nobody knew when it was woken, so all of it may have been counted as blocked. */
		run_queue = run_queue < left ? run_queue : left;
	}
	if (record->start >= wait->start)
		wait->is_open = false;
	if (record->start > wait->ended_start)
		wait->ended_start = record->start;
	if (run_queue)
		place_add(&split->run_queue, !was_told && !record->blocked, run_queue);
	if (left > run_queue || !run_queue)
		place_add(&split->blocked, !was_told && (record->blocked || !run_queue), left - run_queue);
}

void waits_feed(struct profile_state *state, const struct ktally_offcpu *record)
{
	struct known_task *known;
	struct split split = places_of(state, record, &known);
	struct thread_wait nobody = { 0 }, *wait = known ? wait_of(state, known->task.tid) : &nobody;

	note_times(&state->profile, record);
	if (record->header.flags & KTALLY_OFFCPU_PARTIAL) {
		/* Its end could not be told from others' without its thread. */
		if (known && !known->ended)
			goes_on(wait, record, &split);
		return;
	}
	state->profile.offcpu.samples++;
	ends(wait, record, &split);
}

void waits_exit(struct profile_state *state, const struct ktally_exit *record)
{
	struct thread_wait *wait = map_get(&state->waits, record->tid);

	/* The number may be a new thread's already, whose wait began later. */
	if (wait && wait->start < record->time)
		wait->is_open = false;
}

void profile_extend_waits(struct profile *profile, uint64_t now)
{
	struct map *waits = &state_of(profile)->waits;

	for (struct map_slot *slot = map_next(waits, NULL); slot; slot = map_next(waits, slot)) {
		struct thread_wait *wait = slot->value;

		if (!wait->is_open || now < wait->start || now - wait->start <= wait->counted)
			continue;
		place_add(&wait->place, 0, now - wait->start - wait->counted);
		wait->counted = now - wait->start;
		if (now > profile->last_time)
			profile->last_time = now;
	}
}

void profile_doubt_waits(struct profile *profile)
{
	struct map *waits = &state_of(profile)->waits;

	for (struct map_slot *slot = map_next(waits, NULL); slot; slot = map_next(waits, slot))
		((struct thread_wait *)slot->value)->doubtful = true;
}

void profile_end_doubtful_waits(struct profile *profile)
{
	struct map *waits = &state_of(profile)->waits;

	for (struct map_slot *slot = map_next(waits, NULL); slot; slot = map_next(waits, slot)) {
		struct thread_wait *wait = slot->value;

		if (wait->doubtful)
			wait->is_open = false;
		if (!wait->is_open && !wait->recent) {
			map_remove(waits, slot->key);
			free(wait);
		} else {
			wait->recent = false;
		}
	}
}

void waits_hold_rows(struct profile_state *state)
{
	for (struct map_slot *slot = map_next(&state->waits, NULL); slot; slot = map_next(&state->waits, slot)) {
		const struct thread_wait *wait = slot->value;

		/* One that seems to have ended may turn out to go on. */
		if (wait->place.row)
			wait->place.row->held = true;
		if (wait->place.topics)
			wait->place.topics->held = true;
	}
}

void waits_keep_topics(const struct profile_state *state)
{
	for (struct map_slot *slot = map_next(&state->waits, NULL); slot; slot = map_next(&state->waits, slot))
		topics_keep(((const struct thread_wait *)slot->value)->place.set);
}

void waits_free(struct profile_state *state)
{
	map_free_values(&state->waits);
}
