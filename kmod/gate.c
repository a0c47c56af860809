// SPDX-License-Identifier: GPL-2.0
#include "gate.h"

#include <linux/capability.h>
#include <linux/ktally.h>
#include <linux/perf_event.h>
#include <linux/security.h>
#include <linux/uidgid.h>

void ktally_gate_open(struct ktally_gate *gate)
{
	gate->privileged = perfmon_capable();
	gate->kernel_frames = gate->privileged && !ktally_perf_allow_kernel();
	gate->cred = get_current_cred();
}

void ktally_gate_close(struct ktally_gate *gate)
{
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

/*
 * The rule of ptrace for the unprivileged, which modules cannot call: all ids the same, the same user namespace, and a
 * process that may dump core, which one that gained rights by exec may not.
 */
bool ktally_gate_owns_current(const struct ktally_gate *gate)
{
	const struct cred *mine = gate->cred, *theirs = current_cred();

	return gate->privileged ||
	       (theirs->user_ns == mine->user_ns &&
		uid_eq(theirs->uid, mine->euid) && uid_eq(theirs->euid, mine->euid) &&
		uid_eq(theirs->suid, mine->euid) && gid_eq(theirs->gid, mine->egid) &&
		gid_eq(theirs->egid, mine->egid) && gid_eq(theirs->sgid, mine->egid));
}

bool ktally_gate_permits_current(const struct ktally_gate *gate)
{
	return gate->privileged ||
	       (current->mm && !(current->flags & PF_KTHREAD) && ktally_gate_owns_current(gate) &&
		ktally_current_may_dump());
}
