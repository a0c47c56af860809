/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may see what. Decided by who opened the device, and kept with the session: whoever uses the
 * descriptor later has the opener's rights, no more and no less, so that a session can be handed
 * down.
 */
#ifndef KTALLY_GATE_H
#define KTALLY_GATE_H

#include <linux/cred.h>
#include <linux/types.h>

/**
 * struct ktally_gate - the opener's rights
 * @privileged: had CAP_PERFMON in the initial user namespace
 * @kernel_frames: was, besides, not refused kernel addresses by perf's own rule (security modules)
 * @cred: the opener
 */
struct ktally_gate {
	bool privileged;
	bool kernel_frames;
	const struct cred *cred;
};

void ktally_gate_open(struct ktally_gate *gate);
void ktally_gate_close(struct ktally_gate *gate);

/* Process context. Asked anew whenever it matters: lockdown can be raised while a session lives. */
u64 ktally_gate_allowed(const struct ktally_gate *gate);

/* Any context, also NMI: whether the current task may be sampled. */
bool ktally_gate_permits_current(const struct ktally_gate *gate);

/* The same but for whether it may dump core, which an exiting task has no mm to tell by: its exit may be told. */
bool ktally_gate_owns_current(const struct ktally_gate *gate);

#endif /* KTALLY_GATE_H */
