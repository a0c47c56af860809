/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking a sample, in two steps.
 *
 * ktally_capture_take() runs where the sample hits, which may be an NMI: it notes who runs, the
 * system call, and the kernel frames. ktally_capture_finish() runs in hard interrupt context, at
 * once or, after an NMI, as soon as interrupts are on: it reads the user stack, which no NMI may,
 * and writes the records. In between the capture waits in one of a few places. Captures are finished one
 * at a time, so that interrupts are not off for longer when several wait.
 */
#ifndef KTALLY_CAPTURE_H
#define KTALLY_CAPTURE_H

#include <linux/ktally.h>
#include <linux/types.h>

#include "stack.h"

struct ktally_cpu;
struct pt_regs;

/* Captures that can wait on a CPU: with interrupts off, so many NMIs in a row are kept. */
#define KTALLY_CAPTURES 4

/**
 * struct ktally_capture - a sample on its way
 * @task: who ran, to be compared only: it may be gone
 * @who: the same as a record
 * @weight: nanoseconds the sample stands for
 * @syscall: number, KTALLY_SYSCALL_NONE if none
 * @flags: KTALLY_SAMPLE_*
 * @stack: the frames so far
 */
struct ktally_capture {
	const struct task_struct *task;
	struct ktally_task who;
	u64 weight;
	s32 syscall;
	u16 flags;
	struct ktally_stack_buffer stack;
};

/**
 * struct ktally_captures - those of a CPU, in the order they were taken
 * @taken: how many were begun since ever; moved by any context
 * @done: how many were finished since ever; moved by ktally_capture_finish() only
 * @slots: capture number n is in slot n % KTALLY_CAPTURES
 */
struct ktally_captures {
	u32 taken;
	u32 done;
	struct ktally_capture slots[KTALLY_CAPTURES];
};

/* Any context on the CPU, also NMI; the task must be one that may be sampled. False: no slot, the loss is counted. */
bool ktally_capture_take(struct ktally_cpu *cpu, struct pt_regs *regs, u64 time, u64 weight);

/*
 * On the CPU, interrupts off, not NMI: writes the records of the capture that has waited for longest, if any does.
 * True: more wait.
 */
bool ktally_capture_finish(struct ktally_cpu *cpu);

#endif /* KTALLY_CAPTURE_H */
