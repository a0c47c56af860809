/* SPDX-License-Identifier: GPL-2.0 */
/* Whom a session samples: processes, cgroups, or everybody. Set at SETUP, enforced at every sample. */
#ifndef KTALLY_FILTER_H
#define KTALLY_FILTER_H

#include <linux/ktally.h>
#include <linux/types.h>

struct cgroup;
struct task_struct;

/**
 * struct ktally_filter - both parts must let a task pass
 * @pids: a bit for each process id of the initial pid namespace; NULL: everybody. Grows and shrinks with the processes
 *	by fork and exit when @children.
 * @children: KTALLY_FILTER_CHILDREN
 * @cgroup_count: number of @cgroups, 0: everybody
 * @cgroups: these and what is below them
 */
struct ktally_filter {
	unsigned long *pids;
	bool children;
	u32 cgroup_count;
	struct cgroup *cgroups[KTALLY_CGROUPS_MAX];
};

/*
 * Process context. The probes of lifecycle.c are active before init, so that no process escapes it,
 * and not any more at destroy, which is due after a failed init as well.
 */
int ktally_filter_init(struct ktally_filter *filter, const struct ktally_setup *setup);
void ktally_filter_destroy(struct ktally_filter *filter);

/* Any context, also NMI. */
bool ktally_filter_passes(const struct ktally_filter *filter, struct task_struct *task);

/* Under RCU. */
void ktally_filter_fork(struct ktally_filter *filter, pid_t parent, pid_t child);
void ktally_filter_exit(struct ktally_filter *filter, pid_t pid);

#endif /* KTALLY_FILTER_H */
