/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing records into a CPU's ring: each kind in one place, between ktally_records_begin() and
 * ktally_records_end(). All of it on the CPU itself (or for one that is offline), with interrupts
 * off, never from an NMI.
 *
 * The writers return false when the ring has no room; what that means as a loss is the caller's to count.
 */
#ifndef KTALLY_RECORDS_H
#define KTALLY_RECORDS_H

#include <linux/ktally.h>
#include <linux/types.h>

struct ktally_budget_verdict;
struct ktally_cpu;
struct ktally_stack_buffer;

void ktally_records_begin(struct ktally_cpu *cpu);
void ktally_records_end(struct ktally_cpu *cpu);

/* Between the two: whether there is room for anything that a capture can bring. Nothing is written without asking. */
bool ktally_records_admit(const struct ktally_cpu *cpu);

/* By itself: tells the reader of all losses. */
void ktally_records_flush(struct ktally_cpu *cpu);

/* What a reader was told already is not told again: these write only what is new, but for tasks when `again`. */
bool ktally_write_task(struct ktally_cpu *cpu, struct ktally_task *task, bool again);
/* And the files it names, before it. */
bool ktally_write_stack(struct ktally_cpu *cpu, struct ktally_stack_buffer *buffer);

/* All but the header filled in by the caller. */
bool ktally_write_sample(struct ktally_cpu *cpu, struct ktally_sample *sample, u16 flags);

bool ktally_write_offcpu(struct ktally_cpu *cpu, struct ktally_offcpu *offcpu, u16 flags);
bool ktally_write_exit(struct ktally_cpu *cpu);
bool ktally_write_throttle(struct ktally_cpu *cpu, const struct ktally_budget_verdict *verdict);

#endif /* KTALLY_RECORDS_H */
