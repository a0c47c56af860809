// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings are read from /proc, which knows processes only by number and shows what is there now. A record is up to a
 * few seconds old: the number may belong to another process by now, or the process may run another program. The start
 * time rules out the first. Against the second: exec makes a thread the leader, so another thread proves by being there
 * that there was none; and a leader that has executed something else has another name. What does not fit is left
 * unread; no names are better than those of another program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/message.h"
#include "profile/state.h"
#include "profile/tenant.h"
#include "symbols/errand.h"
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

void space_learnt(struct profile_state *state, struct space *space, bool owner)
{
	const char *executable = symbols_executable(state->profile.symbols, space->mm_id);

	for (struct known_task *known = space->tasks; known; known = known->next_in_space) {
		if (!owner && known->task.executable == executable)
			continue;
		known->task.executable = executable;
		owners_attribute(state, known);
	}
}

/* ---- reading what /proc has of a process; by any thread, and it may never end ---- */

struct space_reading {
	struct errand errand;
	struct task task;		/* whose process it is, as the records said: its comm is this: */
	char comm[KTALLY_COMM_BYTES + 1];
	bool owner, cgroup;		/* its environment is wanted; its cgroup, too */
	bool is_there;			/* and was all the while: then these are its */
	uint32_t user;
	uint64_t started;		/* the process, in the kernel's ticks */
	char *executable, *text;
	size_t bytes;
	bool early;			/* it has no environment yet */
	struct owner *declared;
};

static void discard(struct errand *errand)
{
	struct space_reading *reading = (struct space_reading *)errand;

	free(reading->executable);
	free(reading->text);
	free(reading->declared);
	free(reading);
}

static void run(struct errand *errand)
{
	struct space_reading *reading = (struct space_reading *)errand;
	uint32_t pid = reading->task.pid;
	char comm[64];

	if (symbols_read_mappings(pid, &reading->executable, &reading->text, &reading->bytes))
		return;
	if (reading->owner)
		reading->declared = owners_read(pid, reading->cgroup, &reading->early);
	if (!proc_read_user(pid, &reading->user) && !proc_read_thread(pid, pid, &reading->started, comm, sizeof(comm)))
		reading->is_there = is_still_there(&reading->task);
}

/* Whose share of all it takes that is learnt of it. */
static uint32_t tenant(const struct profile_state *state, const struct task *task, uint32_t user)
{
	const struct known_task *known = map_get(&state->profile.tasks, task->id);

	return tenant_of(known ? known->cgroup : NULL, user);
}

static struct space_reading *reading_of(const struct profile_state *state, const struct space *space, const struct task *task, uint32_t user)
{
	struct space_reading *reading = memory_zeroed(1, sizeof(*reading));

	reading->errand = (struct errand){ .run = run, .discard = discard, .major = ERRAND_PROCESS, .minor = user, .user = user,
					    .pid = task->pid };
	snprintf(reading->comm, sizeof(reading->comm), "%s", task->comm);
	reading->task = (struct task){ .id = task->id, .pid = task->pid, .tid = task->tid, .start_time = task->start_time, .comm = reading->comm };
	reading->owner = !space->asked;
	reading->cgroup = owners_ask_for_cgroup(state);
	return reading;
}

/* ---- what is done with it ---- */

/* Once: an environment is what a program was started with. In the middle of exec there is none yet. */
static void take_owner(struct profile_state *state, struct space *space, struct space_reading *reading)
{
	space->asked = !reading->early;
	free(space->declared);
	space->declared = reading->declared;
	reading->declared = NULL;
	owners_tell_space(state, space);
}

static void take(struct profile_state *state, struct space *space, struct space_reading *reading)
{
	const struct profile_options *options = &state->profile.options;
	uint32_t pid = reading->task.pid;
	uint64_t began = turns_begin();
	struct pool_holder holder;

	if (reading->is_there) {
		if (reading->owner)
			take_owner(state, space, reading);
		symbols_set_user(state->profile.symbols, space->mm_id, tenant(state, &reading->task, reading->user));
		symbols_set_mappings(state->profile.symbols, space->mm_id, pid, reading->executable, reading->text, reading->bytes);
		symbols_set_start(state->profile.symbols, space->mm_id, reading->started);
		space_learnt(state, space, reading->owner);
		if (options->on_mappings)
			options->on_mappings(options->context, space->mm_id, pid, reading->executable, reading->text, reading->bytes);
	}
	discard(&reading->errand);
	symbols_get_holder(state->profile.symbols, space->mm_id, &holder);
	turns_end(&state->turns, &holder, began);
}

bool space_take_late(struct profile_state *state, struct space *space)
{
	struct errand *errand = space->reading;

	if (errand && !errand_is_done(errand))
		return false;
	if (errand) {
		space->reading = NULL;
		map_remove(&state->readings, space->mm_id);
		take(state, space, (struct space_reading *)errand);
	}
	return true;
}

void spaces_take_late(struct profile_state *state)
{
	for (struct map_slot *slot = map_next(&state->readings, NULL); slot; slot = map_next(&state->readings, slot))
		space_take_late(state, slot->value);
}

bool space_is_awaited(const struct space *space)
{
	return space && space->reading && !errand_is_late(space->reading);
}

/*
 * Whose it is has to be known first: each user waits for their own. Whether it is the process that was sampled is for the errand to find out,
 * which sets right whose it is.
 */
void space_read(struct profile_state *state, struct space *space, const struct task *task)
{
	struct space_reading *reading;
	struct pool_holder holder;
	uint32_t user;

	if (!space_take_late(state, space) || proc_read_user(task->pid, &user))
		return;
	user = tenant(state, task, user);
	symbols_set_user(state->profile.symbols, space->mm_id, user);
	symbols_get_holder(state->profile.symbols, space->mm_id, &holder);
	if (!turns_may_learn(&state->turns, &holder)) {
		space->put_off = true;
		return;
	}
	space->put_off = false;
	reading = reading_of(state, space, task, user);
	if (errand_ask(symbols_errands(state->profile.symbols), &reading->errand)) {
		take(state, space, reading);
	} else {
		space->reading = &reading->errand;
		map_put(&state->readings, space->mm_id, space);
	}
}

void space_first_sampled(struct profile_state *state, struct known_task *known)
{
	if (state->profile.options.live && known->space && !known->space->asked)
		space_read(state, known->space, &known->task);
}

/*
 * Each reading that did not help doubles the time until the next may come: addresses that are none are common in broken
 * stacks. One that was put off has told nothing.
 */
void space_read_again(struct profile_state *state, struct space *space, const struct task *task, uint64_t address)
{
	uint64_t before = now(), after;

	if (before < space->retry_time)
		return;
	space_read(state, space, task);
	after = now();
	if (space->put_off) {
		space->retry_time = after + RETRY_LEAST;
		return;
	}
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
	map_remove(&state->readings, space->mm_id);
	errand_abandon(space->reading);
	free(space->declared);
	free(space);
}

void spaces_free(struct profile_state *state)
{
	for (struct map_slot *slot = map_next(&state->spaces, NULL); slot; slot = map_next(&state->spaces, slot)) {
		errand_abandon(((struct space *)slot->value)->reading);
		free(((struct space *)slot->value)->declared);
		free(slot->value);
	}
	map_free(&state->spaces);
	map_free(&state->readings);
}
