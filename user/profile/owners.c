// SPDX-License-Identifier: GPL-2.0-or-later
/* Who owns a task's time: what its process says of itself, what its cgroup says, and what it runs, put together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/environment.h"
#include "attribute/pod.h"
#include "base/message.h"
#include "capture/capture.h"
#include "profile/state.h"
#include "symbols/printable.h"

static const char path_key[] = "path=";

/* ---- put together ---- */

/* "nginx.service" is the service nginx. */
static const char *service_of_unit(const char *unit, char *room)
{
	size_t bytes = strlen(unit) - strlen(".service");

	memcpy(room, unit, bytes);
	room[bytes] = '\0';
	return room;
}

static bool has_unit(const struct owner *owner)
{
	const char *unit = owner->values[OWNER_UNIT];
	size_t bytes = unit ? strlen(unit) : 0, suffix = strlen(".service");

	return bytes > suffix && bytes < OWNER_VALUE_BYTES && !strcmp(unit + bytes - suffix, ".service");
}

void owners_attribute(struct profile_state *state, struct known_task *known)
{
	bool kernel = !known->task.mm_id || (known->task.flags & KTALLY_TASK_KERNEL);
	char process[OWNER_VALUE_BYTES], unit[OWNER_VALUE_BYTES];
	struct pool_holder holder = { .user = 0 };
	struct owner owner = { 0 };

	if (!kernel)
		symbols_get_holder(state->profile.symbols, known->task.mm_id, &holder);
	owner.user = holder.user;
	process_name(known);
	stpncpy(process, known->task.process_name, sizeof(process) - 1)[0] = '\0';
	printable(process, strlen(process));
	owner.values[OWNER_PROCESS] = *process ? process : "?";
	owner_add(&owner, known->cgroup ? known->cgroup->owner : NULL);
	owner_add(&owner, known->space ? known->space->declared : NULL);
	if (!owner.values[OWNER_SERVICE])
		owner.values[OWNER_SERVICE] = kernel ? "kernel" : has_unit(&owner) ? service_of_unit(owner.values[OWNER_UNIT], unit) :
					      owner.values[OWNER_PROCESS];
	known->task.owner = owners_get(state->profile.owners, &owner);
}

bool owners_ask_for_cgroup(const struct profile_state *state)
{
	const struct cgroups *cgroups = state->profile.cgroups;

	return cgroups_are_old(cgroups) || !cgroups_mount(cgroups);
}

struct owner *owners_read(uint32_t pid, bool cgroup, bool *early)
{
	struct owner_draft draft = { 0 };
	char path[16];

	*early = environment_read_process(pid, &draft) == -EAGAIN;
	if (cgroup)
		cgroup_read_process(pid, &draft, path, sizeof(path));
	if (draft.owner.values[OWNER_POD] && draft.owner.values[OWNER_CONTAINER])
		pod_find_names(POD_LOGS, draft.owner.values[OWNER_CONTAINER], &draft);
	return owner_is_empty(&draft.owner) ? NULL : owner_copy(&draft.owner);
}

/* ---- told to a recorder, and read from a capture ---- */

void owners_tell_space(struct profile_state *state, const struct space *space)
{
	const struct profile_options *options = &state->profile.options;
	struct buffer lines = { 0 };

	if (!options->on_owner || !space->declared)
		return;
	owner_write(space->declared, &lines);
	options->on_owner(options->context, space->mm_id, 0, lines.data, lines.bytes);
	buffer_free(&lines);
}

void owners_tell_cgroup(struct profile_state *state, struct cgroup *cgroup)
{
	const struct profile_options *options = &state->profile.options;
	struct buffer lines = { 0 };

	cgroup->told = true;
	if (!options->on_owner || !cgroup->path)
		return;
	buffer_format(&lines, "%s%s\n", path_key, cgroup->path);
	owner_write(cgroup->owner, &lines);
	options->on_owner(options->context, 0, cgroup->id, lines.data, lines.bytes);
	buffer_free(&lines);
}

void profile_tell_owners(struct profile *profile)
{
	const struct map *cgroups = cgroups_all(profile->cgroups), *spaces = &state_of(profile)->spaces;

	for (struct map_slot *slot = map_next(cgroups, NULL); slot; slot = map_next(cgroups, slot))
		owners_tell_cgroup(state_of(profile), slot->value);
	for (struct map_slot *slot = map_next(spaces, NULL); slot; slot = map_next(spaces, slot))
		owners_tell_space(state_of(profile), slot->value);
}

static void feed_space(struct space *space, const struct owner *declared)
{
	free(space->declared);
	space->declared = owner_copy(declared);
}

/* It comes before the tasks that it is about. */
void owners_feed(struct profile_state *state, const struct capture_item *item)
{
	struct owner_draft draft = { 0 };
	struct cgroup *cgroup;
	char path[OWNER_VALUE_BYTES * 2];
	const char *text = item->data;
	size_t bytes = strcspn(text, "\n");

	owner_read(text, item->bytes, &draft);
	if (item->mm_id) {
		feed_space(space_get(state, item->mm_id), &draft.owner);
		return;
	}
	cgroup = cgroups_get(state->profile.cgroups, item->cgroup_id, 0, 0);
	if (!cgroup)
		return;
	if (bytes >= strlen(path_key) && !memcmp(text, path_key, strlen(path_key)))
		text += strlen(path_key);
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(text, "\n"), text);
	printable(path, strlen(path));
	cgroup_set(cgroup, path, &draft.owner);
}

/* ---- forgotten ---- */

static void keep_owners_of_rows(const struct tally *tally)
{
	size_t count;
	struct tally_row **rows = tally_rows(tally, &count);

	for (size_t i = 0; i < count; i++)
		owners_keep(rows[i]->owner);
}

static void keep_owners_of_topics(const struct topic_tally *tally)
{
	size_t count;
	struct topic_row **rows = topic_tally_rows(tally, &count);

	for (size_t i = 0; i < count; i++)
		owners_keep(rows[i]->owner);
}

static void forget_rows(const struct profile_source *source)
{
	tally_forget(source->tally);
	topic_tally_forget(source->topics);
	keep_owners_of_rows(source->tally);
	keep_owners_of_topics(source->topics);
}

/* With cells all is kept: who asks for them wants everything that ever was. */
static void forget_owners(struct profile_state *state)
{
	struct profile *profile = &state->profile;

	if (profile->options.cells)
		return;
	waits_hold_rows(state);
	stacks_forget_rows(state);
	forget_rows(&profile->oncpu);
	forget_rows(&profile->offcpu);
	for (struct map_slot *slot = map_next(&profile->tasks, NULL); slot; slot = map_next(&profile->tasks, slot))
		owners_keep(((struct known_task *)slot->value)->task.owner);
	owners_forget(profile->owners);
}

/* Tasks whose cgroup had no room of its own have it from when there is some. */
static void find_cgroups(struct profile_state *state)
{
	struct map *tasks = &state->profile.tasks;

	for (struct map_slot *slot = map_next(tasks, NULL); slot; slot = map_next(tasks, slot)) {
		struct known_task *known = slot->value;
		struct cgroup *before = known->cgroup;

		if ((before && before->id == known->task.cgroup_id) || known->time >= state->forgotten)
			continue;
		known->cgroup = cgroups_get(state->profile.cgroups, known->task.cgroup_id, known->task.pid, state->profile.last_time);
		if (known->cgroup == before)
			continue;
		if (known->cgroup && !known->cgroup->told)
			owners_tell_cgroup(state, known->cgroup);
		owners_attribute(state, known);
	}
}

/*
 * Tasks that came when there was no room get an owner of their own once there is: those that lived through the time since the last
 * call go first, as names that come and go would fill it again.
 */
void owners_forget_unused(struct profile_state *state)
{
	const struct owner *other = owners_other(state->profile.owners);
	struct map *tasks = &state->profile.tasks;

	forget_owners(state);
	for (struct map_slot *slot = map_next(tasks, NULL); slot; slot = map_next(tasks, slot)) {
		struct known_task *known = slot->value;

		if (known->cgroup)
			known->cgroup->used = true;
		if (known->task.owner == other && known->time < state->forgotten)
			owners_attribute(state, known);
	}
	cgroups_forget(state->profile.cgroups);
	find_cgroups(state);
	state->forgotten = state->profile.last_time;
}
