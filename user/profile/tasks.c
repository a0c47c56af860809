// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "profile/state.h"
#include "symbols/printable.h"

static void link_thread(struct profile_state *state, struct known_task *known)
{
	known->earlier = map_put(&state->threads, known->task.tid, known);
}

static void end(struct profile_state *state, struct known_task *known, uint64_t time)
{
	known->ended = true;
	if (known->space)
		space_task_ended(state, known->space, time);
}

/*
 * What this thread ran in before it executed a program is gone; so is another thread that had its number. Where only its name or its cgroup
 * is new, that was seen to when it was last announced: a thread may have as many names as it likes.
 */
static void end_earlier(struct profile_state *state, const struct known_task *latest)
{
	if (latest->earlier && latest->earlier->task.mm_id == latest->task.mm_id && latest->earlier->time <= latest->time)
		return;
	for (struct known_task *known = latest->earlier; known; known = known->earlier)
		if (!known->ended && known->task.mm_id != latest->task.mm_id && known->time < latest->time)
			end(state, known, latest->time);
}

/* A thread in its last moments says nothing of its address space: it is the one that it had, or that of who leads its process. */
static const struct known_task *before(const struct profile_state *state, const struct ktally_task *record)
{
	const struct known_task *known = map_get(&state->threads, record->tid);

	if (record->mm_id || record->task_flags & KTALLY_TASK_KERNEL)
		return NULL;
	if (known && known->task.start_time == record->start_time)
		return known;
	known = map_get(&state->threads, record->pid);
	return known && known->task.pid == record->pid ? known : NULL;
}

static struct known_task *remember(struct profile_state *state, const struct ktally_task *record)
{
	struct known_task *known = memory_zeroed(1, sizeof(*known));
	const struct known_task *earlier = before(state, record);
	uint64_t mm_id = earlier ? earlier->task.mm_id : record->mm_id;
	struct space *space = space_get(state, mm_id);

	known->task = (struct task){
		.id = record->task_id,
		.mm_id = mm_id,
		.cgroup_id = record->cgroup_id,
		.start_time = record->start_time,
		.pid = record->pid,
		.tid = record->tid,
		.parent = record->parent,
		.flags = record->task_flags,
		.executable = space ? symbols_executable(state->profile.symbols, mm_id) : NULL,
	};
	memcpy(known->comm, record->comm, sizeof(record->comm));
	printable(known->comm, strlen(known->comm));
	known->task.comm = known->comm;
	known->time = record->time;
	link_thread(state, known);
	if (state->profile.options.live)
		end_earlier(state, known);
	if (space)
		space_add(space, known);
	if (earlier && earlier->ended)
		end(state, known, record->time);
	known->cgroup = cgroups_get(state->profile.cgroups, record->cgroup_id, record->pid, record->time);
	if (known->cgroup && !known->cgroup->told)
		owners_tell_cgroup(state, known->cgroup);
	owners_attribute(state, known);
	map_put(&state->profile.tasks, record->task_id, known);
	return known;
}

void tasks_announce(struct profile_state *state, const struct ktally_task *record)
{
	struct known_task *known = map_get(&state->profile.tasks, record->task_id);

	spaces_forget_ended(state, record->time);
	if (!known)
		known = remember(state, record);
	known->recent = true;
	if (!state->profile.options.live || !known->space ||
	    (known->space->asked && symbols_have_mappings(state->profile.symbols, known->task.mm_id)))
		return;
	if (record->task_flags & KTALLY_TASK_EXEC)
		space_read_exec(state, known->space, &known->task);
	else
		space_read_again(state, known->space, &known->task, 0);
}

/*
 * A capture holds each mapping once, whereas a live one is read again if need be: so only in a live session does
 * anything follow from the end of a task. Its number may be in use again by then; the start time tells.
 */
void tasks_exit(struct profile_state *state, const struct ktally_exit *record)
{
	if (!state->profile.options.live)
		return;
	for (struct known_task *known = map_get(&state->threads, record->tid); known; known = known->earlier) {
		if (!known->ended && known->task.start_time == record->start_time)
			end(state, known, record->time);
	}
	spaces_forget_ended(state, record->time);
}

/* The chains are short-lived knowledge, so they are made anew from the tasks that stay. */
void tasks_forget(struct profile_state *state)
{
	struct map *tasks = &state->profile.tasks;
	struct map_slot *slot;

	map_free(&state->threads);
	for (slot = map_next(&state->spaces, NULL); slot; slot = map_next(&state->spaces, slot)) {
		struct space *space = slot->value;

		space->tasks = NULL;
		space->living = 0;
	}
	for (slot = map_next(tasks, NULL); slot; slot = map_next(tasks, slot)) {
		struct known_task *known = slot->value;

		if (!known->recent && !(known->sampled && state->profile.options.cells)) {
			map_remove(tasks, slot->key);
			free(known);
			continue;
		}
		known->recent = false;
		if (known->ended)
			known->space = NULL;
		else
			link_thread(state, known);
		if (known->space)
			space_add(known->space, known);
	}
	for (slot = map_next(&state->spaces, NULL); slot; slot = map_next(&state->spaces, slot)) {
		struct space *space = slot->value;

		if (state->profile.options.live && !space->tasks && !space->ended)
			space_drop(state, space);
	}
}

void tasks_free(struct profile_state *state)
{
	map_free_values(&state->profile.tasks);
	map_free(&state->threads);
}
