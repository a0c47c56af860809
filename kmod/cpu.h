/* SPDX-License-Identifier: GPL-2.0 */
/* A session's part on one CPU: its ring, what the ring's reader was told, and what is under way. */
#ifndef KTALLY_CPU_H
#define KTALLY_CPU_H

#include <linux/irq_work.h>
#include <linux/types.h>

#include "area.h"
#include "budget.h"
#include "capture.h"
#include "offcpu.h"
#include "ring.h"
#include "set.h"

struct ktally_session;
struct perf_event;

/**
 * struct ktally_cpu - a session's part on one CPU
 * @session: which
 * @cpu: which
 * @area: memory of @ring
 * @ring: what the reader sees
 * @stacks: stacks that the reader was sent
 * @tasks: tasks that the reader was sent
 * @files: files that the reader was sent, by number
 * @budget: time spent
 * @event: the counter that paces on-CPU samples; NULL while the CPU is offline or the session not enabled
 * @clock: KTALLY_CLOCK_* of @event
 * @last_overflow: time of its last overflow
 * @throttled: perf throttled it there: until the next tick it does not count
 * @throttles: how often, and for how long at most
 * @started: when it was started, by local_clock()
 * @missed: since then it has not counted for so long, as far as is known
 * @paused: how often it was found not to have counted since for want of hardware, and how long in all; FLUSH's
 * @random: state of the generator that jitters its periods
 * @samples: captures and kept waits finished, whether they found room or not
 * @stack_records: STACK records written
 * @throttle_records: THROTTLE records written
 * @last_announcement: position up to which losses were announced
 * @due: records below this position have waited long enough to be reported by poll()
 * @file_told: a FILE record was written that is not published yet
 * @captures: taken, not finished
 * @finish: finishes captures that an NMI took
 * @nmi_ns: time that NMIs spent and nobody has charged yet; moved by NMIs, cleared by @finish
 * @wake: wakes the reader
 * @offcpu: of the waits that end here
 */
struct ktally_cpu {
	struct ktally_session *session;
	unsigned int cpu;
	struct ktally_area area;
	struct ktally_ring ring;
	struct ktally_set stacks;
	struct ktally_set tasks;
	struct ktally_set files;
	struct ktally_budget budget;
	struct perf_event *event;
	u32 clock;
	u64 last_overflow;
	bool throttled;
	struct ktally_loss throttles;
	u64 started;
	u64 missed;
	struct ktally_loss paused;
	u32 random;
	u64 samples;
	u64 stack_records;
	u64 throttle_records;
	u64 last_announcement;
	u64 due;
	bool file_told;
	struct ktally_captures captures;
	struct irq_work finish;
	u64 nmi_ns;
	struct irq_work wake;
	struct ktally_offcpu_cpu offcpu;
};

/* Process context; the session is set up as far as its size of rings. */
struct ktally_cpu *ktally_cpu_create(struct ktally_session *session, unsigned int number);
void ktally_cpu_destroy(struct ktally_cpu *cpu);

/*
 * On the CPU, interrupts off, not NMI: the work for @source that began at @start (local_clock()) is
 * done. Should that change how thinly it samples, the reader is told.
 */
void ktally_cpu_charge(struct ktally_cpu *cpu, struct ktally_budget *budget, u32 source, u64 start);

/* The same of work that is for no source alone. */
void ktally_cpu_charge_any(struct ktally_cpu *cpu, u64 start);

#endif /* KTALLY_CPU_H */
