/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares of a bounded number of cgroups. Who may make a cgroup may make as many as he likes below it, so it is the places in the hierarchy
 * that have shares, not users: below a first component, as "/user.slice", may be as many as are left free then; below two, as
 * "/user.slice/user-1000.slice", half as many as are left, and so on, to the fourth. So whoever comes next, in whatever place, finds some
 * left, as in a pool (base/pool.h). Those of which it is not known where they are share what one first component has.
 */
#ifndef KTALLY_CGROUP_SHARES_H
#define KTALLY_CGROUP_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

#define CGROUP_SHARED_LEVELS	4

/* Zeroed at first, but for: */
struct cgroup_shares {
	size_t most;
	size_t used;
	struct map held;		/* of each beginning of a path how many are below it, as a number */
};

/* What one has. */
struct cgroup_share {
	uint64_t beginnings[CGROUP_SHARED_LEVELS];
	unsigned int count;
};

/* path: NULL if it is not known. False: there is no more for this. */
bool cgroup_shares_take(struct cgroup_shares *shares, const char *path, struct cgroup_share *share);
void cgroup_shares_give(struct cgroup_shares *shares, const struct cgroup_share *share);
void cgroup_shares_free(struct cgroup_shares *shares);

/* How long the part of the path is that shares are of: what is below it is told apart no more. */
size_t cgroup_shares_bytes(const char *path);

#endif
