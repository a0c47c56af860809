// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "attribute/cgroup_shares.h"

static size_t held(const struct cgroup_shares *shares, uint64_t beginning)
{
	return (uintptr_t)map_get(&shares->held, beginning);
}

static void set_held(struct cgroup_shares *shares, uint64_t beginning, size_t count)
{
	map_put(&shares->held, beginning, (void *)(uintptr_t)count);
}

/* The next component's end. */
static size_t end_of_component(const char *path, size_t bytes)
{
	bytes += path[bytes] == '/';
	return bytes + strcspn(path + bytes, "/");
}

size_t cgroup_shares_bytes(const char *path)
{
	size_t bytes = 0;

	for (unsigned int level = 0; level < CGROUP_SHARED_LEVELS; level++)
		bytes = end_of_component(path, bytes);
	return bytes;
}

static struct cgroup_share share_of(const char *path)
{
	struct cgroup_share share = { .count = 0 };
	size_t bytes = 0;

	if (!path)
		share.count = 1;
	while (path && share.count < CGROUP_SHARED_LEVELS && (path[bytes] || !share.count)) {
		bytes = end_of_component(path, bytes);
		share.beginnings[share.count++] = hash_names(path, bytes, 0);
	}
	return share;
}

bool cgroup_shares_take(struct cgroup_shares *shares, const char *path, struct cgroup_share *share)
{
	size_t left;

	*share = share_of(path);
	if (shares->used >= shares->most)
		return false;
	left = shares->most - shares->used - 1;
	for (unsigned int level = 0; level < share->count; level++)
		if (held(shares, share->beginnings[level]) + 1 > left >> level)
			return false;
	shares->used++;
	for (unsigned int level = 0; level < share->count; level++)
		set_held(shares, share->beginnings[level], held(shares, share->beginnings[level]) + 1);
	return true;
}

void cgroup_shares_give(struct cgroup_shares *shares, const struct cgroup_share *share)
{
	shares->used -= !!share->count;
	for (unsigned int level = 0; level < share->count; level++)
		set_held(shares, share->beginnings[level], held(shares, share->beginnings[level]) - 1);
}

void cgroup_shares_free(struct cgroup_shares *shares)
{
	map_free(&shares->held);
}
