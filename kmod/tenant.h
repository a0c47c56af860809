/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose share of what all have in common something is of: what a process without rights cannot choose.
 * That is its real user id in the initial user namespace. In a user namespace, where a process may
 * take any of the ids that are mapped, it is who made the outermost one; unless that was root, who
 * gives each container ids of its own: then it is the first of these. Where root gives a namespace
 * its own id, as systemd does to a service that is to see no users but itself, it keeps nobody apart
 * and counts as none; else who is confined most would have root's share.
 *
 * But most containers have no user namespace: what runs there is root's, or is whoever its root makes
 * it. What they have is a pid namespace, which without rights nobody makes but in a user namespace of
 * his own. So the outermost one, where root made it, is a tenant by itself.
 */
#ifndef KTALLY_TENANT_H
#define KTALLY_TENANT_H

#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

/* In the initial namespace; root: none is mapped yet, or it is root's. */
static inline kuid_t ktally_first_mapped(const struct user_namespace *ns)
{
	const struct uid_gid_map *map = &ns->uid_map;
	u32 count = smp_load_acquire(&map->nr_extents);		/* pairs with the barrier in map_write() */
	const struct uid_gid_extent *first = count <= UID_GID_MAP_MAX_BASE_EXTENTS ? map->extent : map->forward;

	return count ? KUIDT_INIT(first->lower_first) : GLOBAL_ROOT_UID;
}

/*
 * Any context; the credentials and the pid namespace (NULL: not known) stay meanwhile. A user id, or the number of a
 * pid namespace, which are where no user ids are: from 0xf0000000 on.
 */
static inline u32 ktally_tenant_of(const struct cred *cred, const struct pid_namespace *pids)
{
	const struct user_namespace *ns;
	kuid_t tenant = cred->uid, user;
	bool of_user = false;

	for (ns = cred->user_ns; ns != &init_user_ns; ns = ns->parent) {
		user = uid_eq(ns->owner, GLOBAL_ROOT_UID) ? ktally_first_mapped(ns) : ns->owner;
		if (!uid_eq(user, GLOBAL_ROOT_UID)) {
			tenant = user;
			of_user = uid_eq(user, ns->owner);
		}
	}
	if (of_user || !pids || !pids->level)
		return __kuid_val(tenant);
	while (pids->level > 1)
		pids = pids->parent;
	return pids->ns.inum;
}

/* Any context. A task in its last moments has no pid, and with it no pid namespace. */
static inline u32 ktally_tenant_of_task(struct task_struct *task)
{
	const struct pid *pid;
	u32 tenant;

	rcu_read_lock();
	pid = READ_ONCE(task->thread_pid);
	tenant = ktally_tenant_of(__task_cred(task), pid ? pid->numbers[pid->level].ns : NULL);
	rcu_read_unlock();
	return tenant;
}

#endif /* KTALLY_TENANT_H */
