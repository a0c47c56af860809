// SPDX-License-Identifier: GPL-2.0
#include "capture.h"

#include <linux/lockdep.h>
#include <linux/sched/task_stack.h>
#include <asm/ptrace.h>

#include "identity.h"
#include "records.h"
#include "session.h"
#include "unwind.h"

/* ------------------------------------------------------------------------------------------------ step one */

/*
 * A slot is claimed before it is filled, so that an NMI that comes while we fill it claims the
 * next; one that comes while we claim has the slot, and we the next. Whoever finishes captures does
 * not interrupt whoever takes them, unless that is an NMI, which by then is over: so every claimed
 * slot that ktally_capture_finish() sees is filled.
 */
static struct ktally_capture *claim(struct ktally_captures *captures)
{
	u32 number;

	do {
		number = READ_ONCE(captures->taken);
		if (number - READ_ONCE(captures->done) >= KTALLY_CAPTURES)
			return NULL;
	} while (cmpxchg_local(&captures->taken, number, number + 1) != number);
	return &captures->slots[number % KTALLY_CAPTURES];
}

bool ktally_capture_take(struct ktally_cpu *cpu, struct pt_regs *regs, u64 time, u64 weight)
{
	struct ktally_capture *capture = claim(&cpu->captures);
	struct ktally_stack *stack;
	unsigned int depth;
	bool compat;

	if (!capture) {
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_BUSY, 1, weight);
		return false;
	}
	capture->task = current;
	capture->weight = weight;
	capture->flags = user_mode(regs) ? 0 : KTALLY_SAMPLE_KERNEL;
	capture->syscall = KTALLY_SYSCALL_NONE;
	if (capture->flags & KTALLY_SAMPLE_KERNEL) {
		capture->syscall = ktally_syscall_of(current, &compat);
		if (compat)
			capture->flags |= KTALLY_SAMPLE_COMPAT;
	}
	ktally_identify(&cpu->session->key, current, &capture->who, time);

	stack = ktally_stack_of(&capture->stack);
	ktally_stack_begin(&capture->stack);
	depth = ktally_stack_kernel_depth(cpu->session);
	if (depth && capture->flags & KTALLY_SAMPLE_KERNEL)
		stack->kernel_frames = ktally_unwind_kernel(regs, stack->frames, depth, &stack->kernel_end);
	return true;
}

/* ------------------------------------------------------------------------------------------------ step two */

/*
 * The user registers are those of the current task, wherever in the kernel it is. If the NMI hit
 * while the scheduler was switching away from the task, another one is current by now, and the user
 * part cannot be had any more.
 */
static void unwind_user_part(struct ktally_cpu *cpu, struct ktally_capture *capture)
{
	if (!(cpu->session->setup.capture & KTALLY_CAPTURE_USER) || capture->who.task_flags & KTALLY_TASK_KERNEL)
		return;
	if (capture->task != current) {
		ktally_stack_of(&capture->stack)->user_end = KTALLY_END_BROKEN;
		return;
	}
	if (ktally_has_user_part(current))
		ktally_stack_add_user(&capture->stack, cpu->session, current, &capture->who,
				      task_pt_regs(current));
}

static bool write_capture(struct ktally_cpu *cpu, struct ktally_capture *capture)
{
	struct ktally_stack *stack = ktally_stack_of(&capture->stack);
	struct ktally_sample sample;

	unwind_user_part(cpu, capture);
	ktally_stack_finish(stack, cpu->session);
	sample = (struct ktally_sample) {
		.time		= capture->who.time,
		.stack_id	= stack->stack_id,
		.task_id	= capture->who.task_id,
		.weight		= capture->weight,
		.tid		= capture->who.tid,
		.syscall	= capture->syscall,
	};
	return ktally_write_task(cpu, &capture->who, false) &&
	       ktally_write_stack(cpu, &capture->stack) &&
	       ktally_write_sample(cpu, &sample, capture->flags);
}

bool ktally_capture_finish(struct ktally_cpu *cpu)
{
	struct ktally_captures *captures = &cpu->captures;
	u32 waiting = READ_ONCE(captures->taken) - captures->done;
	struct ktally_capture *capture;

	lockdep_assert_irqs_disabled();
	if (!waiting)
		return false;
	if (waiting > KTALLY_CAPTURES) {
		WARN_ONCE(1, "ktally: %u captures wait, of %u\n", waiting, KTALLY_CAPTURES);
		ktally_session_stop(cpu->session);
		return false;
	}
	capture = &captures->slots[captures->done % KTALLY_CAPTURES];
	ktally_records_begin(cpu);
	if (!ktally_records_admit(cpu) || !write_capture(cpu, capture))
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_FULL, 1, capture->weight);
	ktally_records_end(cpu);
	cpu->samples++;
	barrier();
	WRITE_ONCE(captures->done, captures->done + 1);
	return READ_ONCE(captures->taken) != captures->done;
}
