/* SPDX-License-Identifier: GPL-2.0 */
/*
 * On-CPU samples: one kernel counter per CPU, of the best clock the host has, with a period that is fixed but for some
 * random jitter, so that nothing that happens at regular times is met, or missed, every time.
 */
#ifndef KTALLY_ONCPU_H
#define KTALLY_ONCPU_H

#include <linux/types.h>

struct ktally_cpu;
struct ktally_session;
struct pt_regs;

/* Module load: finds out which clock there is. And any context: which one a session uses. */
void ktally_oncpu_init(void);
u32 ktally_oncpu_clock(const struct ktally_session *session);

/* The CPU is online and stays so during the call. */
int ktally_oncpu_start(struct ktally_cpu *cpu);
void ktally_oncpu_stop(struct ktally_cpu *cpu);
void ktally_oncpu_rate_changed(struct ktally_cpu *cpu);

/* Process context: what NMIs took before is written when this returns. */
void ktally_oncpu_settle(struct ktally_cpu *cpu);

/* As start: notes for how long the counter had no hardware to count with, and has it tried again. */
void ktally_oncpu_check(struct ktally_cpu *cpu);

#ifdef KTALLY_TEST
void ktally_test_overflow(struct pt_regs *regs);
u64 ktally_test_overflows(void);	/* of all sessions ever: samples taken, and samples lost and announced */
void ktally_test_stop(void);
void ktally_test_pause(void);
#endif

#endif /* KTALLY_ONCPU_H */
