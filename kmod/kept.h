/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A wait that becomes a record. The switch that ends it says when and how; the rest is done by an
 * irq_work of the CPU, as soon as the scheduler turns interrupts on, in the task that has come back.
 */
#ifndef KTALLY_KEPT_H
#define KTALLY_KEPT_H

#include <linux/types.h>

struct ktally_cpu;
struct task_struct;

void ktally_kept_init(struct ktally_cpu *cpu);

/*
 * In the switch, for the task that comes: true: cpu->offcpu.kept is to be filled before interrupts are
 * on again. False: the last one is still on its way, and this one is counted as lost.
 */
bool ktally_kept_claim(struct ktally_cpu *cpu, struct task_struct *task, u64 weight);

#endif /* KTALLY_KEPT_H */
