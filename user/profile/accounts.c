// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's account beside the samples, of the host and of the cgroups that ran most. A cgroup's account has everything below
 * it, so what was sampled is added up the same way. Samples come some time after they were taken, of which the first time, when files
 * are read that all wait for, is the longest: those of after the account was read are left for the next time, or the first one would be
 * compared with another time than was charged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/message.h"
#include "capture/capture.h"
#include "profile/state.h"

/* Reading one takes some ten microseconds. */
#define CGROUPS_MOST	50

#define LEVELS_MOST	32

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

static uint64_t hash_path(const char *path, size_t bytes)
{
	return hash_names(path, bytes, 0);
}

/* As deep as real ones are: somebody can have thousands of levels, and each takes a look at the path up to there. */
static void add_above(const struct map *paths, const struct cgroup *cgroup, uint64_t more)
{
	const char *slash = strchr(cgroup->path, '/');

	for (unsigned int level = 0; slash && level < LEVELS_MOST; level++) {
		struct cgroup *above;

		slash = strchr(slash + 1, '/');
		above = slash ? map_get(paths, hash_path(cgroup->path, (size_t)(slash - cgroup->path))) : NULL;
		if (above && above != cgroup)
			above->below += more;
	}
}

/* What was sampled in each since the last reading, in `below` with all that is below it. */
static void add_up(const struct map *cgroups)
{
	struct map paths = { 0 };

	for (struct map_slot *slot = map_next(cgroups, NULL); slot; slot = map_next(cgroups, slot)) {
		struct cgroup *cgroup = slot->value;

		if (cgroup->path)
			map_put(&paths, hash_path(cgroup->path, strlen(cgroup->path)), cgroup);
	}
	for (struct map_slot *slot = map_next(cgroups, NULL); slot; slot = map_next(cgroups, slot)) {
		struct cgroup *cgroup = slot->value;
		uint64_t until = cgroup->sampled - cgroup->sampled_since, more = until - cgroup->sampled_then;

		cgroup->sampled_then = until;
		if (!cgroup->path || !more)
			continue;
		cgroup->below += more;
		add_above(&paths, cgroup, more);
	}
	map_free(&paths);
}

static uint64_t recent(const struct cgroup *cgroup)
{
	return cgroup->below - cgroup->below_then;
}

static int compare(const void *a_place, const void *b_place)
{
	const struct cgroup *a = *(struct cgroup *const *)a_place, *b = *(struct cgroup *const *)b_place;

	return recent(a) < recent(b) ? 1 : recent(a) > recent(b) ? -1 : a->id > b->id ? 1 : -1;
}

/* Those that can be compared, the one that ran most first. To be freed. */
static struct cgroup **ranked(const struct map *cgroups, size_t *count)
{
	struct cgroup **result = memory_zeroed(cgroups->used + 1, sizeof(struct cgroup *));

	*count = 0;
	for (struct map_slot *slot = map_next(cgroups, NULL); slot; slot = map_next(cgroups, slot)) {
		struct cgroup *cgroup = slot->value;

		/* The root's account is the host's. */
		if (cgroup->path && strcmp(cgroup->path, "/"))
			result[(*count)++] = cgroup;
	}
	qsort(result, *count, sizeof(struct cgroup *), compare);
	return result;
}

static void read_cgroups(struct profile *profile)
{
	const char *mount = cgroups_mount(profile->cgroups);
	struct cgroup **cgroups;
	size_t count;

	if (!mount)
		return;
	add_up(cgroups_all(profile->cgroups));
	cgroups = ranked(cgroups_all(profile->cgroups), &count);
	for (size_t i = 0; i < count && i < CGROUPS_MOST; i++) {
		struct account *account = &cgroups[i]->account;

		account->is_charged = !account_read_cgroup(mount, cgroups[i]->path, &account->charge);
	}
	free(cgroups);
}

void profile_read_accounts(struct profile *profile)
{
	if (!profile->options.accounts)
		return;
	state_of(profile)->accounts_read = now();
	profile->account.is_charged = !account_read_host(profile->options.left_out, &profile->account.charge);
	/* What a cgroup was charged is not told by CPU. */
	if (!profile->options.left_out)
		read_cgroups(profile);
}

static void compare_account(struct account *account, uint64_t id, uint64_t sampled, struct buffer *lines)
{
	uint64_t charged_before = account->charged, sampled_before = account->sampled;

	account_compare(account, sampled);
	if (account->charged != charged_before || account->sampled != sampled_before)
		buffer_format(lines, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", id, account->charged - charged_before,
			      account->sampled - sampled_before);
}

void profile_compare_accounts(struct profile *profile)
{
	const struct profile_options *options = &profile->options;
	const struct map *cgroups = cgroups_all(profile->cgroups);
	struct profile_state *state = state_of(profile);
	struct buffer lines = { 0 };

	if (!options->accounts)
		return;
	add_up(cgroups);
	compare_account(&profile->account, 0, profile->oncpu.weight - state->sampled_since, &lines);
	for (struct map_slot *slot = map_next(cgroups, NULL); slot; slot = map_next(cgroups, slot)) {
		struct cgroup *cgroup = slot->value;

		compare_account(&cgroup->account, cgroup->id, cgroup->below, &lines);
		cgroup->below_then = cgroup->below;
		cgroup->sampled_since = 0;
	}
	state->sampled_since = 0;
	state->accounts_read = UINT64_MAX;
	if (options->on_account && lines.bytes)
		options->on_account(options->context, lines.data, lines.bytes);
	buffer_free(&lines);
}

void accounts_leave(struct profile_state *state, struct cgroup *cgroup, uint64_t weight)
{
	state->sampled_since += weight;
	if (cgroup)
		cgroup->sampled_since += weight;
}

void accounts_feed(struct profile *profile, const struct capture_item *item)
{
	uint64_t id, charged, sampled;

	for (const char *line = item->data; line; line = strchr(line, '\n')) {
		struct cgroup *cgroup;

		line += *line == '\n';
		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &id, &charged, &sampled) != 3)
			continue;
		cgroup = id ? cgroups_get(profile->cgroups, id, 0, 0) : NULL;
		if (cgroup)
			account_add(&cgroup->account, charged, sampled);
		else if (!id)
			account_add(&profile->account, charged, sampled);
	}
}
