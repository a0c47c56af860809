// SPDX-License-Identifier: GPL-2.0
#include "kept.h"

#include <linux/irq_work.h>
#include <linux/lockdep.h>
#include <linux/sched/clock.h>
#include <linux/sched/task_stack.h>
#include <asm/processor.h>

#include "identity.h"
#include "records.h"
#include "session.h"
#include "unwind.h"

static void take_stack(struct ktally_cpu *cpu, const struct ktally_task *who, bool permitted)
{
	struct ktally_stack *stack = ktally_stack_of(&cpu->offcpu.stack);
	const struct ktally_kept *kept = &cpu->offcpu.kept;
	u32 depth = ktally_stack_kernel_depth(cpu->session);

	ktally_stack_begin(&cpu->offcpu.stack);
	if (depth)
		stack->kernel_frames = ktally_unwind_switched(kept->switched_from, stack->frames, depth,
							      &stack->kernel_end);
	if (permitted && ktally_has_user_part(current))
		ktally_stack_add_user(&cpu->offcpu.stack, cpu->session, current, who, task_pt_regs(current));
}

/*
 * That the task was followed when it left the CPU is not enough: while it waited, another thread can have made its
 * process undumpable. Then the wait is told still, as it may have been told as an open one, but not where and in what
 * it waited.
 */
static bool write_kept(struct ktally_cpu *cpu, struct ktally_kept *kept)
{
	bool permitted = ktally_gate_permits_current(&cpu->session->gate), compat = false;
	struct ktally_stack *stack = ktally_stack_of(&cpu->offcpu.stack);
	struct ktally_offcpu *record = &kept->record;
	struct ktally_task who;

	ktally_identify(&cpu->session->key, current, &who, record->time);
	take_stack(cpu, &who, permitted);
	record->syscall = permitted ? ktally_syscall_of(current, &compat) : KTALLY_SYSCALL_NONE;
	if (compat)
		kept->flags |= KTALLY_OFFCPU_COMPAT;
	ktally_stack_finish(stack, cpu->session);

	if (!record->state)
		record->state = ktally_offcpu_state(kept->left, record->syscall);
	record->stack_id = stack->stack_id;
	record->task_id = who.task_id;
	return ktally_write_task(cpu, &who, false) && ktally_write_stack(cpu, &cpu->offcpu.stack) &&
	       ktally_write_offcpu(cpu, record, kept->flags);
}

static void on_kept(struct irq_work *work)
{
	struct ktally_cpu *cpu = container_of(work, struct ktally_cpu, offcpu.work);
	struct ktally_kept *kept = &cpu->offcpu.kept;
	u64 began = local_clock();

	lockdep_assert_irqs_disabled();
	if (!kept->task)
		return;
	/* It fires before the task has gone anywhere. Should it ever not, the task may be gone for good. */
	if (kept->task != current) {
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_BUSY, 1, kept->record.weight);
		goto out;
	}

	ktally_records_begin(cpu);
	if (!ktally_records_admit(cpu) || !write_kept(cpu, kept))
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_FULL, 1, kept->record.weight);
	cpu->samples++;
	ktally_records_end(cpu);
	ktally_offcpu_charge_switches(&cpu->offcpu);
	ktally_cpu_charge(cpu, &cpu->offcpu.budget, KTALLY_SOURCE_OFFCPU, began);
out:
	kept->task = NULL;
}

bool ktally_kept_claim(struct ktally_cpu *cpu, struct task_struct *task, u64 weight)
{
	struct ktally_kept *kept = &cpu->offcpu.kept;

	if (kept->task) {
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_BUSY, 1, weight);
		return false;
	}
	kept->task = task;
	kept->switched_from = task->thread.sp;
	irq_work_queue(&cpu->offcpu.work);
	return true;
}

void ktally_kept_init(struct ktally_cpu *cpu)
{
	cpu->offcpu.work = KTALLY_IRQ_WORK_HARD(on_kept);
}
