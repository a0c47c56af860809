/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may see what, and do what. What a session sees is decided by who opened the device, and kept
 * with the session, so that it can be handed down. What it does is decided by that, by the rights
 * that were left to the descriptor when it was handed down; and what affects others than those who
 * are sampled, by who asks for it, too.
 */
#ifndef KTALLY_GATE_H
#define KTALLY_GATE_H

#include <linux/cred.h>
#include <linux/types.h>

struct pid_namespace;

/**
 * struct ktally_gate - the opener's rights
 * @privileged: had CAP_PERFMON in the initial user namespace
 * @kernel_frames: was, besides, not refused kernel addresses by perf's own rule (security modules)
 * @rights: KTALLY_RIGHT_* that remain; they only become fewer
 * @cred: the opener
 * @pids: his pid namespace
 */
struct ktally_gate {
	bool privileged;
	bool kernel_frames;
	u64 rights;
	const struct cred *cred;
	struct pid_namespace *pids;
};

void ktally_gate_open(struct ktally_gate *gate);
void ktally_gate_close(struct ktally_gate *gate);

/* Process context. Asked anew whenever it matters: lockdown can be raised while a session lives. */
u64 ktally_gate_allowed(const struct ktally_gate *gate);

/*
 * Process context: whether this right remains. -EPERM. And the same for what reaches beyond the
 * session: the opener and who asks both need CAP_PERFMON.
 */
int ktally_gate_check(const struct ktally_gate *gate, u64 right);
int ktally_gate_check_host(const struct ktally_gate *gate, u64 right);

/* Process context. Of the rights that remain these do. */
void ktally_gate_restrict(struct ktally_gate *gate, u64 rights);

/* Any context, also NMI: whether the current task may be sampled. */
bool ktally_gate_permits_current(const struct ktally_gate *gate);

/* Any context but NMI: the same of a task that keeps its mm meanwhile: has never run, is held asleep, or is locked. */
bool ktally_gate_permits_other(const struct ktally_gate *gate, struct task_struct *task);

/* As the first but for whether it may dump core, which an exiting task has no mm to tell by: its exit may be told. */
bool ktally_gate_owns_current(const struct ktally_gate *gate);

#endif /* KTALLY_GATE_H */
