// SPDX-License-Identifier: GPL-2.0
#include "gate.h"

#include <linux/capability.h>
#include <linux/ktally.h>
#include <linux/perf_event.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/uidgid.h>

#include "identity.h"

void ktally_gate_open(struct ktally_gate *gate)
{
	gate->privileged = perfmon_capable();
	gate->kernel_frames = gate->privileged && !ktally_perf_allow_kernel();
	gate->rights = KTALLY_RIGHTS_ALL;
	gate->cred = get_current_cred();
	gate->pids = get_pid_ns(task_active_pid_ns(current));
}

void ktally_gate_close(struct ktally_gate *gate)
{
	put_pid_ns(gate->pids);
	put_cred(gate->cred);
}

u64 ktally_gate_allowed(const struct ktally_gate *gate)
{
	u64 allowed = 0;

	if (gate->privileged) {
		allowed |= KTALLY_ALLOWED_ALL_PROCESSES;
		if (gate->kernel_frames && !security_locked_down(LOCKDOWN_PERF))
			allowed |= KTALLY_ALLOWED_KERNEL_FRAMES;
	}
	return allowed;
}

int ktally_gate_check(const struct ktally_gate *gate, u64 right)
{
	return READ_ONCE(gate->rights) & right ? 0 : -EPERM;
}

int ktally_gate_check_host(const struct ktally_gate *gate, u64 right)
{
	return gate->privileged && perfmon_capable() ? ktally_gate_check(gate, right) : -EPERM;
}

/* Two that restrict at a time are serialized by the session's lock. */
void ktally_gate_restrict(struct ktally_gate *gate, u64 rights)
{
	WRITE_ONCE(gate->rights, gate->rights & rights);
}

/*
 * The rule of ptrace for the unprivileged, which modules cannot call: all ids the same, the same user namespace, no
 * capability that the opener lacks, and a process that may dump core, which one that gained rights by exec may not. Of
 * a process count the credentials that it has, not those that it acts under for a while: a union file system works
 * under those of who mounted it, whoever looks there.
 */
static bool owns(const struct ktally_gate *gate, const struct cred *theirs)
{
	const struct cred *mine = gate->cred;

	return theirs->user_ns == mine->user_ns &&
	       uid_eq(theirs->uid, mine->euid) && uid_eq(theirs->euid, mine->euid) &&
	       uid_eq(theirs->suid, mine->euid) && gid_eq(theirs->gid, mine->egid) &&
	       gid_eq(theirs->egid, mine->egid) && gid_eq(theirs->sgid, mine->egid) &&
	       cap_issubset(theirs->cap_permitted, mine->cap_permitted);
}

/*
 * Nor can a process be traced that the opener has no id for: containers that share a user namespace have the same ids
 * for their users, and are kept apart by this alone. A task in its last moments has none.
 */
static bool can_name(const struct ktally_gate *gate, const struct task_struct *task)
{
	bool can;

	rcu_read_lock();
	can = pid_nr_ns(READ_ONCE(task->thread_pid), gate->pids);
	rcu_read_unlock();
	return can;
}

static bool may_look_into(struct task_struct *task)
{
	return task->mm && !ktally_is_any(task, PF_KTHREAD) && ktally_may_dump(task);
}

bool ktally_gate_owns_current(const struct ktally_gate *gate)
{
	return gate->privileged || (owns(gate, current_real_cred()) && can_name(gate, current));
}

bool ktally_gate_permits_current(const struct ktally_gate *gate)
{
	return gate->privileged ||
	       (owns(gate, current_real_cred()) && can_name(gate, current) && may_look_into(current));
}

bool ktally_gate_permits_other(const struct ktally_gate *gate, struct task_struct *task)
{
	bool owned;

	if (gate->privileged)
		return true;
	rcu_read_lock();
	owned = owns(gate, __task_cred(task));
	rcu_read_unlock();
	return owned && can_name(gate, task) && may_look_into(task);
}
