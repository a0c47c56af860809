// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings are read from /proc, which knows processes only by number and shows what is there now. A record is up to a
 * few seconds old: the number may belong to another process by now, or the process may run another program. The start
 * time rules out the first. Against the second: exec makes a thread the leader, so another thread proves by being there
 * that there was none; and a leader that has executed something else has another name. What does not fit is left
 * unread; no names are better than those of another program.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/message.h"
#include "profile/state.h"
#include "symbols/printable.h"
#include "symbols/proc.h"

#define SECOND			1000000000ULL
#define RETRY_LEAST		(SECOND / 10)
#define RETRY_MOST		(60 * SECOND)
#define RETRY_SHARE		50		/* reading again and again takes at most one part in so many of a CPU */
#define GRACE			(10 * SECOND)	/* the rings of other CPUs may still hold samples of what has ended */
#define EXEC_READS_MOST		100		/* a second: few of a build's thousand programs are sampled */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

struct space *space_get(struct profile_state *state, uint64_t mm_id)
{
	struct space *space = mm_id ? map_get(&state->spaces, mm_id) : NULL;

	if (!space && mm_id) {
		space = memory_zeroed(1, sizeof(*space));
		space->mm_id = mm_id;
		map_put(&state->spaces, mm_id, space);
	}
	return space;
}

void space_add(struct space *space, struct known_task *known)
{
	known->space = space;
	known->next_in_space = space->tasks;
	space->tasks = known;
	space->living += !known->ended;
}

static bool is_still_there(const struct task *task)
{
	uint64_t ticks;
	char comm[64];

	if (proc_read_thread(task->pid, task->tid, &ticks, comm, sizeof(comm)) || ticks != proc_ticks(task->start_time))
		return false;
	printable(comm, strlen(comm));
	return task->tid != task->pid || !strcmp(task->comm, comm);
}

void space_learnt(struct profile_state *state, struct space *space)
{
	const char *executable = symbols_executable(state->profile.symbols, space->mm_id);

	for (struct known_task *known = space->tasks; known; known = known->next_in_space) {
		known->task.executable = executable;
		owners_attribute(state, known);
	}
}

/* Once: an environment is what a program was started with. In the middle of exec there is none yet. */
static void read_owner(struct profile_state *state, struct space *space, const struct task *task)
{
	bool early;
	struct owner *declared = owners_read(state, task, &early);

	if (!is_still_there(task)) {
		free(declared);
		return;
	}
	space->asked = !early;
	free(space->declared);
	space->declared = declared;
	owners_tell_space(state, space);
}

void space_read(struct profile_state *state, struct space *space, const struct task *task)
{
	const struct profile_options *options = &state->profile.options;
	char *executable, *text;
	size_t bytes;

	if (!is_still_there(task) || symbols_read_mappings(task->pid, &executable, &text, &bytes))
		return;
	if (is_still_there(task)) {
		if (!space->asked)
			read_owner(state, space, task);
		symbols_set_mappings(state->profile.symbols, space->mm_id, task->pid, executable, text, bytes);
		space_learnt(state, space);
		if (options->on_mappings)
			options->on_mappings(options->context, space->mm_id, task->pid, executable, text, bytes);
	}
	free(executable);
	free(text);
}

void space_first_sampled(struct profile_state *state, struct known_task *known)
{
	if (state->profile.options.live && known->space && !known->space->asked)
		space_read(state, known->space, &known->task);
}

/*
 * Each reading that did not help doubles the time until the next may come: addresses that are none are common in broken
 * stacks.
 */
void space_read_again(struct profile_state *state, struct space *space, const struct task *task, uint64_t address)
{
	uint64_t before = now(), after;

	if (before < space->retry_time)
		return;
	space_read(state, space, task);
	after = now();
	if (symbols_address_is_mapped(state->profile.symbols, space->mm_id, address) || !space->retry_interval)
		space->retry_interval = RETRY_LEAST;
	else if (space->retry_interval < RETRY_MOST)
		space->retry_interval *= 2;
	space->retry_time = after + space->retry_interval;
	if (space->retry_time < after + (after - before) * RETRY_SHARE)
		space->retry_time = after + (after - before) * RETRY_SHARE;
}

void space_read_exec(struct profile_state *state, struct space *space, const struct task *task)
{
	uint64_t time = now();

	if (time - state->exec_window >= SECOND) {
		state->exec_window = time;
		state->exec_reads = 0;
	}
	if (state->exec_reads < EXEC_READS_MOST) {
		state->exec_reads++;
		space_read(state, space, task);
	}
}

void space_task_ended(struct profile_state *state, struct space *space, uint64_t time)
{
	if (--space->living || space->ended)
		return;
	space->ended = true;
	space->ended_time = time;
	space->ended_next = NULL;
	if (state->ended_first)
		state->ended_last->ended_next = space;
	else
		state->ended_first = space;
	state->ended_last = space;
}

/* A thread that was not known before may have been sampled since: then the space lives on. */
void spaces_forget_ended(struct profile_state *state, uint64_t time)
{
	while (state->ended_first && state->ended_first->ended_time + GRACE < time) {
		struct space *space = state->ended_first;

		state->ended_first = space->ended_next;
		space->ended = false;
		if (!space->living)
			space_drop(state, space);
	}
}

void space_drop(struct profile_state *state, struct space *space)
{
	for (struct known_task *known = space->tasks; known; known = known->next_in_space)
		known->space = NULL;
	symbols_forget(state->profile.symbols, space->mm_id);
	map_remove(&state->spaces, space->mm_id);
	free(space->declared);
	free(space);
}

void spaces_free(struct profile_state *state)
{
	for (struct map_slot *slot = map_next(&state->spaces, NULL); slot; slot = map_next(&state->spaces, slot)) {
		free(((struct space *)slot->value)->declared);
		free(slot->value);
	}
	map_free(&state->spaces);
}
