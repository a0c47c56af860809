/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cgroups that sampled tasks are in: what their paths say of their owner, and the CPU time that was sampled in each. A task's
 * cgroup is known by its id, the inode number of its directory in the cgroup v2 hierarchy. With CAP_DAC_READ_SEARCH the kernel tells
 * the path of an id, even where no task is left to ask; else that of the process, from /proc.
 *
 * On hosts whose controllers are on cgroup v1 the container makers use those hierarchies, of which the id says nothing: there
 * /proc/PID/cgroup is read of each process when it is first seen (cgroup_read_process()).
 */
#ifndef KTALLY_CGROUP_H
#define KTALLY_CGROUP_H

#include "attribute/account.h"
#include "attribute/cgroup_shares.h"
#include "attribute/owner.h"
#include "base/map.h"

struct cgroup {
	uint64_t id;
	char *path;			/* within the hierarchy: "/system.slice/nginx.service"; NULL: not known */
	struct owner *owner;		/* what the path says; NULL: nothing */
	uint64_t sampled;		/* CPU time of its own tasks, ns */
	uint64_t sampled_since;		/* of that, since the kernel's account was read that it is yet to be compared with */
	uint64_t sampled_then;		/* what was before, when it was last compared, see profile/accounts.c */
	uint64_t below, below_then;	/* the same, with all that is below */
	struct account account;
	uint64_t retry_time;		/* ns: when to look again for what is missing; UINT64_MAX: nothing is, or it was given up */
	uint32_t attempts;
	struct cgroup_share share;
	bool told;			/* to a recorder */
	bool used;			/* since the last cgroups_forget() */
};

struct cgroups;

/* live: the cgroups are this host's, now; else nothing is known but what cgroup_set() tells. */
struct cgroups *cgroups_create(bool live);
void cgroups_destroy(struct cgroups *cgroups);

/* Whether controllers are on cgroup v1 here, all of them or some. */
bool cgroups_are_old(const struct cgroups *cgroups);

/* Where cgroup v2 is mounted; NULL: nowhere. */
const char *cgroups_mount(const struct cgroups *cgroups);

/*
 * The cgroup of that id, made if not there; pid: a process that is in it, 0: none; now: CLOCK_MONOTONIC. There are 16 384 at most, of which
 * each place in the hierarchy has a share: one past its share is counted as the nearest above it that has room, and that is what comes. NULL:
 * there is none.
 */
struct cgroup *cgroups_get(struct cgroups *cgroups, uint64_t id, uint32_t pid, uint64_t now);
uint64_t cgroups_refused(const struct cgroups *cgroups);	/* that had no room, each counted once as long as it is asked for */

/* Says what is known of one, in place of what was. Both may be NULL. */
void cgroup_set(struct cgroup *cgroup, const char *path, const struct owner *owner);

const struct map *cgroups_all(const struct cgroups *cgroups);	/* id -> struct cgroup */

/* Drops those that were not used since the last call. */
void cgroups_forget(struct cgroups *cgroups);

/* What text of /proc/PID/cgroup says of the owner, of all hierarchies; the path in the v2 hierarchy, "" if there is none. */
void cgroup_read_text(const char *text, struct owner_draft *draft, char *path, size_t most);

/* The same of a process. 0 or -errno. */
int cgroup_read_process(uint32_t pid, struct owner_draft *draft, char *path, size_t most);

#endif
