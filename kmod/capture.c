// SPDX-License-Identifier: GPL-2.0
#include "capture.h"

#include <linux/lockdep.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>
#include <asm/ptrace.h>
#include <asm/thread_info.h>

#include "identity.h"
#include "records.h"
#include "session.h"
#include "unwind.h"

/* ------------------------------------------------------------------------------------------------ step one */

/* Entry code leaves the number of the system call in orig_ax, and -1 there for anything else. */
static void note_syscall(struct ktally_capture *capture)
{
	int number;

	capture->syscall = KTALLY_SYSCALL_NONE;
	if (!(capture->flags & KTALLY_SAMPLE_KERNEL) || !ktally_has_user_part(current))
		return;
	number = (int)task_pt_regs(current)->orig_ax;
	if (number < 0)
		return;
	capture->syscall = number & ~__X32_SYSCALL_BIT;
#ifdef CONFIG_IA32_EMULATION
	if (current_thread_info()->status & TS_COMPAT)
		capture->flags |= KTALLY_SAMPLE_COMPAT;
#endif
}

/*
 * A slot is claimed before it is filled, so that an NMI that comes while we fill it claims the
 * next. Whoever finishes captures does not interrupt whoever takes them, unless that is an NMI,
 * which by then is over: so every claimed slot that ktally_capture_finish() sees is filled.
 */
bool ktally_capture_take(struct ktally_cpu *cpu, struct pt_regs *regs, u64 time, u64 weight)
{
	struct ktally_captures *captures = &cpu->captures;
	const struct ktally_setup *setup = &cpu->session->setup;
	u32 number = READ_ONCE(captures->taken);
	struct ktally_capture *capture;
	struct ktally_stack *stack;
	unsigned int depth;

	if (number - READ_ONCE(captures->done) >= KTALLY_CAPTURES) {
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_BUSY, 1, weight);
		return false;
	}
	WRITE_ONCE(captures->taken, number + 1);
	barrier();

	capture = &captures->slots[number % KTALLY_CAPTURES];
	capture->task = current;
	capture->weight = weight;
	capture->flags = user_mode(regs) ? 0 : KTALLY_SAMPLE_KERNEL;
	note_syscall(capture);
	ktally_identify_current(&cpu->session->key, &capture->who, time);

	stack = (struct ktally_stack *)capture->stack;
	memset(stack, 0, sizeof(*stack));
	if (setup->capture & KTALLY_CAPTURE_KERNEL && capture->flags & KTALLY_SAMPLE_KERNEL) {
		depth = min_t(u32, setup->depth, KTALLY_DEPTH_KERNEL_MAX);
		stack->kernel_frames = ktally_unwind_kernel(regs, stack->frames, depth, &stack->kernel_end);
	}
	return true;
}

/* ------------------------------------------------------------------------------------------------ step two */

/*
 * The user registers are those of the current task, wherever in the kernel it is. If the NMI hit
 * while the scheduler was switching away from the task, another one is current by now, and the user
 * part cannot be had any more.
 */
static void unwind_user_part(struct ktally_cpu *cpu, struct ktally_capture *capture, struct ktally_stack *stack)
{
	const struct ktally_setup *setup = &cpu->session->setup;

	if (!(setup->capture & KTALLY_CAPTURE_USER) || capture->who.task_flags & KTALLY_TASK_KERNEL)
		return;
	if (capture->task != current) {
		stack->user_end = KTALLY_END_BROKEN;
		return;
	}
	if (!ktally_has_user_part(current))
		return;
	stack->user_frames = ktally_unwind_user(task_pt_regs(current), stack->frames + stack->kernel_frames,
						setup->depth, &stack->user_end);
	if (stack->user_frames)
		stack->mm_id = capture->who.mm_id;
}

static u64 hash_stack(const struct ktally_key *key, const struct ktally_stack *stack)
{
	unsigned int i, frames = stack->kernel_frames + stack->user_frames;
	u64 hash = ktally_hash_word(key, key->start, stack->mm_id);

	hash = ktally_hash_word(key, hash, (u64)stack->kernel_frames << 32 | (u64)stack->user_frames << 16 |
					   stack->kernel_end << 8 | stack->user_end);
	for (i = 0; i < frames; i++)
		hash = ktally_hash_word(key, hash, stack->frames[i]);
	return ktally_hash_id(hash);
}

static bool write_capture(struct ktally_cpu *cpu, struct ktally_capture *capture)
{
	struct ktally_stack *stack = (struct ktally_stack *)capture->stack;
	struct ktally_sample sample;

	unwind_user_part(cpu, capture, stack);
	stack->stack_id = hash_stack(&cpu->session->key, stack);
	sample = (struct ktally_sample) {
		.time		= capture->who.time,
		.stack_id	= stack->stack_id,
		.task_id	= capture->who.task_id,
		.weight		= capture->weight,
		.tid		= capture->who.tid,
		.syscall	= capture->syscall,
	};
	return ktally_write_task(cpu, &capture->who, false) &&
	       ktally_write_stack(cpu, stack) &&
	       ktally_write_sample(cpu, &sample, capture->flags);
}

/**
 * ktally_capture_finish() - write the records of all captures that wait
 * @cpu: this CPU's part
 */
void ktally_capture_finish(struct ktally_cpu *cpu)
{
	struct ktally_captures *captures = &cpu->captures;
	u32 taken = READ_ONCE(captures->taken);

	lockdep_assert_irqs_disabled();
	BUILD_BUG_ON(sizeof(struct ktally_stack) + KTALLY_FRAMES_MAX * sizeof(u64) > KTALLY_RECORD_BYTES_MAX);

	if (taken - captures->done > KTALLY_CAPTURES) {
		WARN_ONCE(1, "ktally: %u captures taken, %u finished\n", taken, captures->done);
		ktally_session_stop(cpu->session);
		return;
	}
	ktally_records_begin(cpu);
	while (captures->done != READ_ONCE(captures->taken)) {
		struct ktally_capture *capture = &captures->slots[captures->done % KTALLY_CAPTURES];

		if (!ktally_records_admit(cpu) || !write_capture(cpu, capture))
			ktally_ring_lose(&cpu->ring, KTALLY_LOST_FULL, 1, capture->weight);
		cpu->samples++;
		barrier();
		WRITE_ONCE(captures->done, captures->done + 1);
	}
	ktally_records_end(cpu);
}
