// SPDX-License-Identifier: GPL-2.0
#include "oncpu.h"

#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/sched/clock.h>
#include <linux/timekeeping.h>
#include <asm/tsc.h>

#include "identity.h"
#include "random.h"
#include "session.h"

static bool pmu = true;
module_param(pmu, bool, 0444);
MODULE_PARM_DESC(pmu, "Pace samples by a hardware counter where there is one (default Y), else by a timer");

static u32 best_clock = KTALLY_CLOCK_CPU;

/*
 * A counter of every CPU, for as long as one likes, is hardware that others go without: perf's users, the watchdog, and
 * whoever samples the whole host. So it is for those with CAP_PERFMON.
 */
u32 ktally_oncpu_clock(const struct ktally_session *session)
{
	return session->gate.privileged ? best_clock : KTALLY_CLOCK_CPU;
}

/*
 * Reference cycles tick at the rate of the time stamp counter whenever the CPU is not halted:
 * exactly the time we mean. Cycles tick at whatever rate the CPU runs.
 */
static struct perf_event_attr clock_attr(u32 clock)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .disabled = 1, .pinned = 1 };

	switch (clock) {
	case KTALLY_CLOCK_REF_CYCLES:
		attr.type = PERF_TYPE_HARDWARE;
		attr.config = PERF_COUNT_HW_REF_CPU_CYCLES;
		break;
	case KTALLY_CLOCK_CYCLES:
		attr.type = PERF_TYPE_HARDWARE;
		attr.config = PERF_COUNT_HW_CPU_CYCLES;
		break;
	default:
		attr.type = PERF_TYPE_SOFTWARE;
		attr.config = PERF_COUNT_SW_CPU_CLOCK;
	}
	return attr;
}

/* ------------------------------------------------------------------------------------------------ periods */

static u64 to_ticks(u32 clock, u64 ns)
{
	switch (clock) {
	case KTALLY_CLOCK_REF_CYCLES:
		return mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC);
	case KTALLY_CLOCK_CYCLES:
		return mul_u64_u32_div(ns, cpu_khz, USEC_PER_SEC);
	default:
		return ns;
	}
}

static u64 to_ns(u32 clock, u64 ticks)
{
	switch (clock) {
	case KTALLY_CLOCK_REF_CYCLES:
		return mul_u64_u32_div(ticks, USEC_PER_SEC, tsc_khz);
	case KTALLY_CLOCK_CYCLES:
		return mul_u64_u32_div(ticks, USEC_PER_SEC, cpu_khz);
	default:
		return ticks;
	}
}

static u64 nominal_period(const struct ktally_cpu *cpu)
{
	return div_u64(NSEC_PER_SEC, READ_ONCE(cpu->session->rate)) * cpu->budget.thin;
}

/* Uniform in nominal - 1/8 ... nominal + 1/8, in the clock's ticks. */
static u64 jittered_period(struct ktally_cpu *cpu)
{
	u64 nominal = nominal_period(cpu);
	u32 draw = ktally_random_next(&cpu->random);

	return to_ticks(cpu->clock, nominal - nominal / 8 + mul_u64_u32_shr(nominal / 4, draw, 32));
}

/* Uniform in 0 ... nominal: where in the period a CPU begins, so that CPUs do not sample in step. */
static u64 first_period(struct ktally_cpu *cpu)
{
	u32 draw = ktally_random_next(&cpu->random);

	return max_t(u64, to_ticks(cpu->clock, mul_u64_u32_shr(nominal_period(cpu), draw, 32)), 10000);
}

/* ------------------------------------------------------------------------------------------------ overflows */

/* The idle task is idle, unless it was interrupted by work. Our own timer interrupt is no work. */
static bool is_idle(void)
{
	return ktally_is_any(current, PF_IDLE) && !in_serving_softirq() && !(in_nmi() && in_hardirq());
}

static bool may_sample_current(const struct ktally_cpu *cpu)
{
	return !is_idle() && ktally_filter_passes(&cpu->session->filter, current) &&
	       ktally_gate_permits_current(&cpu->session->gate);
}

/* What waits besides has an interrupt of its own. */
static void finish_and_charge(struct ktally_cpu *cpu, u64 start)
{
	if (ktally_capture_finish(cpu))
		irq_work_queue(&cpu->finish);
	ktally_cpu_charge(cpu, &cpu->budget, KTALLY_SOURCE_ONCPU, start);
}

static void finish_after_nmi(struct irq_work *work)
{
	struct ktally_cpu *cpu = container_of(work, struct ktally_cpu, finish);

	finish_and_charge(cpu, local_clock() - xchg(&cpu->nmi_ns, 0));
}

#ifdef KTALLY_TEST
static DEFINE_PER_CPU(u64, test_overflows);

static void count_for_test(void)
{
	this_cpu_inc(test_overflows);
}
#else
static inline void count_for_test(void) { }
#endif

static void overflow(struct ktally_cpu *cpu, struct pt_regs *regs, u64 now, u64 weight)
{
	u64 start = local_clock();

	if (READ_ONCE(ktally_disabled) || READ_ONCE(cpu->session->state) != KTALLY_STATE_ENABLED)
		return;
	if (!may_sample_current(cpu))
		return;
	count_for_test();
	ktally_capture_take(cpu, regs, now, weight);
	if (in_nmi()) {
		cpu->nmi_ns += local_clock() - start;
		irq_work_queue(&cpu->finish);
	} else {
		finish_and_charge(cpu, start);
	}
}

/* What perf sets an event's count of interrupts in a tick to when it throttles it. */
#define PERF_THROTTLED (~0ULL)

/*
 * perf stops a counter that comes more often in a tick than it allows until the next tick, and says
 * so before it calls us. How much of the time until the next overflow that was cannot be told, but it
 * was not more than what is beyond a period.
 */
static void note_throttling(struct ktally_cpu *cpu, const struct perf_event *event, u64 gap)
{
	u64 nominal = nominal_period(cpu);

	if (cpu->throttled) {
		cpu->throttles.count++;
		cpu->throttles.weight += gap > nominal ? gap - nominal : 0;
	}
	cpu->throttled = event->hw.interrupts == PERF_THROTTLED;
}

/*
 * By the timer a sample stands for the time since the previous overflow on this CPU, idle or not:
 * intervals do not depend on what runs, so the sum over the samples of a task is an unbiased
 * estimate of its time, and nothing is forgotten when the timer is late. A hardware counter stands
 * still while the CPU is halted, so there it is what was counted.
 */
static void on_overflow(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	struct ktally_cpu *cpu = event->overflow_handler_context;
	u64 now = ktime_get_mono_fast_ns();
	u64 last = cpu->last_overflow;
	u64 weight;

	cpu->last_overflow = now;
	weight = now > last ? now - last : 0;
	note_throttling(cpu, event, weight);
	if (cpu->clock != KTALLY_CLOCK_CPU)
		weight = to_ns(cpu->clock, data->period);
	event->hw.sample_period = jittered_period(cpu);

	overflow(cpu, regs, now, weight);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

#ifdef KTALLY_TEST
static DEFINE_PER_CPU(struct ktally_cpu *, test_cpu);

/* From an NMI on any CPU: as if the counter of the session that last started there had overflowed. */
void ktally_test_overflow(struct pt_regs *regs)
{
	struct ktally_cpu *cpu = this_cpu_read(test_cpu);

	if (cpu)
		overflow(cpu, regs, ktime_get_mono_fast_ns(), 1000);
}
EXPORT_SYMBOL_GPL(ktally_test_overflow);

u64 ktally_test_overflows(void)
{
	unsigned int cpu;
	u64 count = 0;

	for_each_possible_cpu(cpu)
		count += per_cpu(test_overflows, cpu);
	return count;
}
EXPORT_SYMBOL_GPL(ktally_test_overflows);

/* As if that session had been found wrong. */
void ktally_test_stop(void)
{
	struct ktally_cpu *cpu = this_cpu_read(test_cpu);

	if (cpu)
		ktally_session_stop(cpu->session);
}
EXPORT_SYMBOL_GPL(ktally_test_stop);

/* As if others had taken its counter away. */
void ktally_test_pause(void)
{
	struct ktally_cpu *cpu = this_cpu_read(test_cpu);

	if (cpu)
		perf_event_disable(cpu->event);
}
EXPORT_SYMBOL_GPL(ktally_test_pause);

static void set_test_cpu(struct ktally_cpu *cpu, struct ktally_cpu *value)
{
	per_cpu(test_cpu, cpu->cpu) = value;
}
#else
static inline void set_test_cpu(struct ktally_cpu *cpu, struct ktally_cpu *value) { }
#endif

static struct perf_event *create_event(struct ktally_cpu *cpu, u32 clock)
{
	struct perf_event_attr attr = clock_attr(clock);

	cpu->clock = clock;
	attr.sample_period = first_period(cpu);
	return perf_event_create_kernel_counter(&attr, cpu->cpu, NULL, on_overflow, cpu);
}

/* One that is pinned is not refused where others have all of the hardware already: it is there, and never counts. */
static struct perf_event *start_event(struct ktally_cpu *cpu, u32 clock)
{
	struct perf_event *event = create_event(cpu, clock);

	if (IS_ERR(event))
		return event;
	cpu->last_overflow = ktime_get_mono_fast_ns();
	perf_event_enable(event);
	if (clock == KTALLY_CLOCK_CPU || READ_ONCE(event->state) == PERF_EVENT_STATE_ACTIVE)
		return event;
	perf_event_release_kernel(event);
	return ERR_PTR(-EBUSY);
}

int ktally_oncpu_start(struct ktally_cpu *cpu)
{
	u32 clock = ktally_oncpu_clock(cpu->session);
	struct perf_event *event;

	if (!(cpu->session->setup.sources & KTALLY_SOURCE_ONCPU) || cpu->event)
		return 0;
	if (!cpu->random)
		cpu->random = ktally_random_seed();
	cpu->finish = KTALLY_IRQ_WORK_HARD(finish_after_nmi);
	ktally_budget_restart(&cpu->budget);

	/* A core that lacks the counter, or has it taken, falls back to the timer, and its ring says so. */
	cpu->throttled = false;
	event = start_event(cpu, clock);
	if (IS_ERR(event) && clock != KTALLY_CLOCK_CPU)
		event = start_event(cpu, KTALLY_CLOCK_CPU);
	if (IS_ERR(event))
		return PTR_ERR(event);

	WRITE_ONCE(cpu->ring.producer->clock, cpu->clock);
	cpu->event = event;
	set_test_cpu(cpu, cpu);
	cpu->started = local_clock();
	cpu->missed = 0;
	return 0;
}

void ktally_oncpu_settle(struct ktally_cpu *cpu)
{
	irq_work_sync(&cpu->finish);
}

/* When this returns, no overflow is under way on the CPU and no capture waits. */
void ktally_oncpu_stop(struct ktally_cpu *cpu)
{
	if (!cpu->event)
		return;
	/* First, as the release interrupts the CPU: what a test's NMI began there is over then, too. */
	set_test_cpu(cpu, NULL);
	perf_event_release_kernel(cpu->event);
	cpu->event = NULL;
	ktally_oncpu_settle(cpu);
}

/* Without this, the new rate would begin when the old period ends. */
void ktally_oncpu_rate_changed(struct ktally_cpu *cpu)
{
	if (cpu->event)
		perf_event_period(cpu->event, first_period(cpu));
}

/*
 * The counter is pinned: it has hardware of its own, or none at all, and then perf gives it up for
 * good, without a word, until it is enabled again. What is less than a period is no more than the
 * time that asking takes.
 */
void ktally_oncpu_check(struct ktally_cpu *cpu)
{
	u64 enabled, running, missed;

	if (!cpu->event)
		return;
	perf_event_read_value(cpu->event, &enabled, &running);
	missed = local_clock() - cpu->started;
	missed = missed > running ? missed - running : 0;
	if (missed > cpu->missed && missed - cpu->missed > nominal_period(cpu)) {
		WRITE_ONCE(cpu->paused.count, cpu->paused.count + 1);
		WRITE_ONCE(cpu->paused.weight, cpu->paused.weight + missed - cpu->missed);
		cpu->missed = missed;
	}
	if (READ_ONCE(cpu->event->state) != PERF_EVENT_STATE_ACTIVE)
		perf_event_enable(cpu->event);
}

static void ignore_overflow(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
}

static bool have_clock(u32 clock)
{
	struct perf_event_attr attr = clock_attr(clock);
	struct perf_event *event;

	attr.sample_period = 1 << 30;
	event = perf_event_create_kernel_counter(&attr, raw_smp_processor_id(), NULL, ignore_overflow, NULL);
	if (IS_ERR(event))
		return false;
	perf_event_release_kernel(event);
	return true;
}

void ktally_oncpu_init(void)
{
	if (pmu && tsc_khz && have_clock(KTALLY_CLOCK_REF_CYCLES))
		best_clock = KTALLY_CLOCK_REF_CYCLES;
	else if (pmu && cpu_khz && have_clock(KTALLY_CLOCK_CYCLES))
		best_clock = KTALLY_CLOCK_CYCLES;
}
