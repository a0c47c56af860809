// SPDX-License-Identifier: GPL-2.0
#include "filter.h"

#include <linux/bitmap.h>
#include <linux/cgroup.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/threads.h>
#include <linux/uaccess.h>

/*
 * The exit probe is active already. A process that ends before its bit is set would leave the bit
 * behind for whoever gets the number next, so look at it once more when the bit is set.
 */
static bool add_pid(struct ktally_filter *filter, s32 number)
{
	struct task_struct *task;
	bool alive = false;

	rcu_read_lock();
	task = pid_task(find_vpid(number), PIDTYPE_PID);
	if (task) {
		set_bit(task->tgid, filter->pids);
		smp_mb__after_atomic();		/* pairs with the full barrier of the decrement of live in do_exit() */
		alive = atomic_read(&task->signal->live);
		if (!alive)
			clear_bit(task->tgid, filter->pids);
	}
	rcu_read_unlock();
	return alive;
}

/*
 * A bit for each possible process id is half a megabyte, but a look-up is one load, children come
 * and go by one bit operation, and there is no table that a fork bomb could fill.
 */
static int init_pids(struct ktally_filter *filter, const struct ktally_setup *setup)
{
	const s32 __user *from = u64_to_user_ptr(setup->pids);
	u32 i;

	filter->pids = kvcalloc(BITS_TO_LONGS(PID_MAX_LIMIT), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!filter->pids)
		return -ENOMEM;
	for (i = 0; i < setup->pid_count; i++) {
		s32 number;

		if (get_user(number, &from[i]))
			return -EFAULT;
		if (!add_pid(filter, number))
			return -ESRCH;
	}
	return 0;
}

static int init_cgroups(struct ktally_filter *filter, const struct ktally_setup *setup)
{
	const s32 __user *from = u64_to_user_ptr(setup->cgroup_fds);
	u32 i;

	for (i = 0; i < setup->cgroup_count; i++) {
		struct cgroup *cgroup;
		s32 fd;

		if (get_user(fd, &from[i]))
			return -EFAULT;
		cgroup = cgroup_get_from_fd(fd);
		if (IS_ERR(cgroup))
			return -EBADF;
		filter->cgroups[filter->cgroup_count++] = cgroup;
		if (cgroup->root != &cgrp_dfl_root)
			return -EBADF;
	}
	return 0;
}

int ktally_filter_init(struct ktally_filter *filter, const struct ktally_setup *setup)
{
	int err = 0;

	filter->children = setup->filter & KTALLY_FILTER_CHILDREN;
	if (setup->pid_count)
		err = init_pids(filter, setup);
	if (!err && setup->cgroup_count)
		err = init_cgroups(filter, setup);
	return err;
}

void ktally_filter_destroy(struct ktally_filter *filter)
{
	while (filter->cgroup_count)
		cgroup_put(filter->cgroups[--filter->cgroup_count]);
	kvfree(filter->pids);
	filter->pids = NULL;
}

static bool in_cgroups(const struct ktally_filter *filter, struct task_struct *task)
{
	struct cgroup *cgroup;
	bool in = false;
	u32 i;

	rcu_read_lock();
	cgroup = task_css_set(task)->dfl_cgrp;
	for (i = 0; i < filter->cgroup_count && !in; i++)
		in = cgroup_is_descendant(cgroup, filter->cgroups[i]);
	rcu_read_unlock();
	return in;
}

bool ktally_filter_passes(const struct ktally_filter *filter, struct task_struct *task)
{
	if (filter->pids && !test_bit(task->tgid, filter->pids))
		return false;
	return !filter->cgroup_count || in_cgroups(filter, task);
}

void ktally_filter_fork(struct ktally_filter *filter, pid_t parent, pid_t child)
{
	if (filter->pids && filter->children && test_bit(parent, filter->pids))
		set_bit(child, filter->pids);
}

/* A dead process's number may soon be somebody else's. */
void ktally_filter_exit(struct ktally_filter *filter, pid_t pid)
{
	if (filter->pids && test_bit(pid, filter->pids))
		clear_bit(pid, filter->pids);
}
