// SPDX-License-Identifier: GPL-2.0
#include "lifecycle.h"

#include <linux/bitops.h>
#include <linux/irqflags.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <trace/events/sched.h>

#include "holds.h"
#include "identity.h"
#include "records.h"
#include "session.h"
#include "tracepoints.h"

/*
 * Probes run in task context, in newer kernels with preemption on: interrupts off makes them as
 * undisturbed as samples. They must not do anything that could sleep, print or wake.
 */

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct ktally_session *session = data;

	if (child->tgid != parent->tgid)
		ktally_filter_fork(&session->filter, parent->tgid, child->tgid);
}

static void on_exec(void *data, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct ktally_session *session = data;
	struct ktally_task record;
	struct ktally_cpu *cpu;
	unsigned long flags;

	ktally_holds_look_soon();
	if (READ_ONCE(session->state) != KTALLY_STATE_ENABLED ||
	    !ktally_filter_passes(&session->filter, current) || !ktally_gate_permits_current(&session->gate))
		return;

	local_irq_save(flags);
	cpu = ktally_session_cpu(session, smp_processor_id());
	if (cpu) {
		ktally_identify(&session->key, current, &record, ktime_get_mono_fast_ns());
		record.task_flags |= KTALLY_TASK_EXEC;
		ktally_records_begin(cpu);
		if (!ktally_records_admit(cpu) || !ktally_write_task(cpu, &record, true))
			ktally_ring_lose(&cpu->ring, KTALLY_LOST_NOTICE, 1, 0);
		ktally_records_end(cpu);
	}
	local_irq_restore(flags);
}

/* The set of announced tasks is lossy, so whose exit it is must be looked at once more. */
static bool is_worth_telling(struct ktally_session *session)
{
	u64 life = ktally_life_hash(&session->key, current->pid, current->start_boottime);

	return READ_ONCE(session->state) == KTALLY_STATE_ENABLED &&
	       test_bit(life % KTALLY_ANNOUNCED_BITS, session->announced) &&
	       ktally_filter_passes(&session->filter, current) && ktally_gate_owns_current(&session->gate);
}

static void on_exit(KTALLY_EXIT_PROBE_ARGUMENTS)
{
	struct ktally_session *session = data;
	struct ktally_cpu *cpu;
	unsigned long flags;

	if (is_worth_telling(session)) {
		local_irq_save(flags);
		cpu = ktally_session_cpu(session, smp_processor_id());
		if (cpu) {
			ktally_records_begin(cpu);
			if (!ktally_records_admit(cpu) || !ktally_write_exit(cpu))
				ktally_ring_lose(&cpu->ring, KTALLY_LOST_NOTICE, 1, 0);
			ktally_records_end(cpu);
		}
		local_irq_restore(flags);
	}
	if (!atomic_read(&task->signal->live)) {
		ktally_filter_exit(&session->filter, task->tgid);
		ktally_holds_look_soon();
	}
}

static struct ktally_probe probes[] = {
	{ "sched_process_fork", on_fork },
	{ "sched_process_exec", on_exec },
	{ "sched_process_exit", on_exit },
};

/* Breaks the build, rather than the host, when the kernel calls its probes with other arguments. */
static void __maybe_unused check_signatures(void)
{
	check_trace_callback_type_sched_process_fork(on_fork);
	check_trace_callback_type_sched_process_exec(on_exec);
	check_trace_callback_type_sched_process_exit(on_exit);
}

int ktally_lifecycle_init(void)
{
	return ktally_probes_find(probes, ARRAY_SIZE(probes));
}

int ktally_lifecycle_start(struct ktally_session *session)
{
	return ktally_probes_register(probes, ARRAY_SIZE(probes), session);
}

/* When this returns, no probe of the session is running. */
void ktally_lifecycle_stop(struct ktally_session *session)
{
	ktally_probes_unregister(probes, ARRAY_SIZE(probes), session);
}
