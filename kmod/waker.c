// SPDX-License-Identifier: GPL-2.0
#include "waker.h"

#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include "identity.h"
#include "records.h"
#include "session.h"
#include "unwind.h"

static bool tell_waker(struct ktally_cpu *cpu, struct ktally_wait *wait)
{
	struct ktally_session *session = cpu->session;
	struct ktally_stack *stack = ktally_stack_of(&cpu->offcpu.stack);
	struct ktally_task who;
	u32 depth;

	ktally_identify(&session->key, current, &who, ktime_get_mono_fast_ns());
	if (!ktally_write_task(cpu, &who, false))
		return false;
	wait->waker_task_id = who.task_id;
	if (!(session->setup.capture & KTALLY_CAPTURE_WAKER_STACK))
		return true;

	ktally_stack_begin(&cpu->offcpu.stack);
	depth = ktally_stack_kernel_depth(session);
	if (depth)
		stack->kernel_frames = ktally_unwind_from(__builtin_frame_address(0), stack->frames, depth,
							  &stack->kernel_end);
	if (ktally_has_user_part(current))
		ktally_stack_add_user(&cpu->offcpu.stack, session, current, &who, task_pt_regs(current));
	ktally_stack_finish(stack, session);
	if (!ktally_write_stack(cpu, &cpu->offcpu.stack))
		return false;
	wait->waker_stack_id = stack->stack_id;
	return true;
}

/*
 * In whoever wakes, under a lock of the task that is woken, interrupts off. Only for a wait that is
 * sure to be kept; what else it may still grow to is not worth the price at every waking.
 */
void ktally_on_waking(void *data, struct task_struct *task)
{
	struct ktally_session *session = data;
	struct ktally_cpu *cpu = ktally_session_cpu(session, smp_processor_id());
	struct ktally_wait *wait = ktally_waits_find(&session->offcpu.waits, task);
	u64 start = wait ? READ_ONCE(wait->start) : 0;
	u64 began, took;

	if (!cpu || !start || READ_ONCE(session->state) == KTALLY_STATE_STOPPED)
		return;
	if (!in_task()) {
		wait->ended_by_interrupt = true;
		return;
	}
	began = local_clock();
	took = began - ktally_offcpu_began(&session->offcpu, start);
	if (!ktally_offcpu_is_sure(cpu, wait, start, took) || !ktally_gate_permits_current(&session->gate))
		return;

	ktally_records_begin(cpu);
	if (!ktally_records_admit(cpu) || !tell_waker(cpu, wait))
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_NOTICE, 1, 0);
	ktally_records_end(cpu);
	ktally_cpu_charge(cpu, &cpu->offcpu.budget, KTALLY_SOURCE_OFFCPU, began);
}
