/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session: what one open file of the device asks for, and its part on each CPU.
 *
 * Who may touch what:
 *
 *   - what changes of a struct ktally_cpu at run time: its CPU with interrupts off; from an NMI only
 *     what oncpu.c and capture.c say
 *   - session->state and what the ioctls change: session->lock
 *   - session->cpus[]: written once per CPU, by SETUP, by the CPU's coming online, or by a FLUSH after
 *     that had failed; read anywhere, by ktally_session_cpu()
 *
 * Lock order: session->lock, then the CPU hotplug lock, then that of quota.c. Hotplug callbacks never
 * take session->lock.
 */
#ifndef KTALLY_SESSION_H
#define KTALLY_SESSION_H

#include <linux/cpumask.h>
#include <linux/ktally.h>
#include <linux/mutex.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "cpu.h"
#include "filter.h"
#include "gate.h"
#include "hash.h"
#include "offcpu.h"
#include "pace.h"
#include "admission.h"

/* Bits of the lossy set of announced tasks. */
#define KTALLY_ANNOUNCED_BITS 65536

/**
 * struct ktally_session - what one open file asks for
 * @lock: ioctls
 * @state: KTALLY_STATE_*, 0 before SETUP
 * @gate: the opener's rights
 * @admission: what it takes
 * @setup: as granted, defaults filled in
 * @rate: samples per second now
 * @filter: whom to sample
 * @key: of the session's ids
 * @cpus: by CPU number; NULL where there is no ring yet
 * @rings: how many there are
 * @sampled: CPUs that it samples, written by SETUP
 * @hotplug: our place in the list of CPU hotplug
 * @attached: whether we are in it
 * @start_error: why a CPU could not be started while we came in
 * @flushes: when FLUSH was called
 * @offcpu: its waits
 * @latency: makes old records due
 * @wait: readers
 * @announced: tasks that some ring announced, by ktally_life_hash(), lossy: says which exits are worth telling
 * @read_lock: serializes read()
 * @read_cpu: where read() goes on
 */
struct ktally_session {
	struct mutex lock;		/* ioctls; see the table above */
	u32 state;
	struct ktally_gate gate;
	struct ktally_admission admission;
	struct ktally_setup setup;
	u32 rate;
	struct ktally_filter filter;
	struct ktally_key key;
	struct ktally_cpu **cpus;
	atomic_t rings;
	cpumask_var_t sampled;
	struct hlist_node hotplug;
	bool attached;
	int start_error;
	struct ktally_pace flushes;
	struct ktally_offcpu_session offcpu;
	struct timer_list latency;
	wait_queue_head_t wait;
	unsigned long *announced;
	struct mutex read_lock;		/* read() */
	unsigned int read_cpu;
};

/* Set by the module parameter: no session samples. */
extern bool ktally_disabled;

struct ktally_session *ktally_session_create(void);
void ktally_session_destroy(struct ktally_session *session);
int ktally_session_set_up(struct ktally_session *session, struct ktally_setup *setup);
int ktally_session_enable(struct ktally_session *session);
void ktally_session_disable(struct ktally_session *session);
int ktally_session_set_rate(struct ktally_session *session, u32 rate);
int ktally_session_set_keep(struct ktally_session *session, const struct ktally_keep *keep);
int ktally_session_flush(struct ktally_session *session, u32 flags);

/* Any context: the module has found itself wrong; nothing more is sampled, the host goes on. */
void ktally_session_stop(struct ktally_session *session);

/* Any context. KTALLY_STATE_*; once it is not 0, all that SETUP has written can be read without the lock. */
static inline u32 ktally_session_state(const struct ktally_session *session)
{
	return smp_load_acquire(&session->state);	/* pairs with set_state() */
}

/* Any context. The CPU's part, NULL if it has none yet. */
static inline struct ktally_cpu *ktally_session_cpu(const struct ktally_session *session, unsigned int cpu)
{
	return smp_load_acquire(&session->cpus[cpu]);	/* pairs with attach_part() in cpus.c */
}

#endif /* KTALLY_SESSION_H */
