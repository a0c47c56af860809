// SPDX-License-Identifier: GPL-2.0
#include "offcpu.h"

#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <trace/events/sched.h>
#include <asm/unistd.h>

#include "draw.h"
#include "identity.h"
#include "kept.h"
#include "openwaits.h"
#include "session.h"
#include "sleepers.h"
#include "tracepoints.h"
#include "waker.h"

/*
 * A task that lets others go first says so by a system call. Else whoever could run and does not
 * was made to leave, be it in the kernel or on its way back to user space.
 */
u32 ktally_offcpu_state(u32 left, s32 syscall)
{
	u32 state = left & ~(KTALLY_LEFT_PREEMPTED | KTALLY_LEFT_IOWAIT);

	if (left & KTALLY_LEFT_PREEMPTED)
		return KTALLY_OFFCPU_PREEMPTED;
	if (!state)
		return syscall == __NR_sched_yield ? KTALLY_OFFCPU_YIELDED : KTALLY_OFFCPU_PREEMPTED;
	if (state & KTALLY_TASK_STOPPED)
		return KTALLY_OFFCPU_STOPPED;
	if (left & KTALLY_LEFT_IOWAIT)
		return KTALLY_OFFCPU_IOWAIT;
	/* Uninterruptible, but not counted as load: an idle kernel thread. */
	if (state & TASK_UNINTERRUPTIBLE && !(state & TASK_NOLOAD))
		return KTALLY_OFFCPU_DISK;
	return KTALLY_OFFCPU_SLEEP;
}

static bool could_run(u32 left)
{
	return left & KTALLY_LEFT_PREEMPTED || !(left & ~KTALLY_LEFT_IOWAIT);
}

/* ------------------------------------------------------------------------------------------------ switches */

static bool is_followed(struct ktally_session *session, struct task_struct *task)
{
	return likely(session->offcpu.everybody) ||
	       (ktally_filter_passes(&session->filter, task) && ktally_gate_permits_current(&session->gate));
}

/* Of one that has never run, and so cannot have changed whose it is. */
static bool is_followed_new(struct ktally_session *session, struct task_struct *task)
{
	return likely(session->offcpu.everybody) ||
	       (ktally_filter_passes(&session->filter, task) && ktally_gate_permits_other(&session->gate, task));
}

/* D, as the time budget has it. */
static u64 keep_ns(const struct ktally_cpu *cpu)
{
	u64 keep = READ_ONCE(cpu->session->offcpu.keep_ns);
	u32 thin = cpu->offcpu.budget.thin;

	return thin == 1 ? keep : max_t(u64, keep, NSEC_PER_USEC) * thin;
}

/* Which waits are kept can be seen, and must not tell where anything is in the kernel: no address is asked by. */
static bool is_drawn(const struct ktally_session *session, u64 whose, u64 start, u64 keep, u64 took)
{
	return ktally_is_drawn(session->key.step, whose ^ start, keep, took);
}

static u64 place_of(const struct ktally_session *session, const struct ktally_wait *wait)
{
	return (unsigned long)wait - (unsigned long)session->offcpu.waits.waits;
}

bool ktally_offcpu_is_sure(const struct ktally_cpu *cpu, const struct ktally_wait *wait, u64 start, u64 took)
{
	return (s64)took >= 0 && took >= READ_ONCE(cpu->session->offcpu.wait_min_ns) &&
	       is_drawn(cpu->session, place_of(cpu->session, wait), start & ~KTALLY_WAIT_TOLD, keep_ns(cpu), took);
}

static bool is_too_short(struct ktally_cpu *cpu, u64 took)
{
	if (took >= READ_ONCE(cpu->session->offcpu.wait_min_ns))
		return false;
	cpu->offcpu.waits_short.count++;
	cpu->offcpu.waits_short.weight += took;
	return true;
}

/*
 * The scheduler itself notes since when a task could run, and how long in all before that it could
 * have: at this point the task's last turn in the queue is not yet part of the sum.
 */
static u64 time_in_queue(const struct task_struct *task, const struct ktally_wait *wait, u64 took, u64 now)
{
#ifdef CONFIG_SCHED_INFO
	u64 queued = task->sched_info.run_delay - wait->run_delay;
	u64 since = task->sched_info.last_queued;

	if (could_run(wait->left))
		return took;
	if (since)
		queued += max_t(s64, now - since, 0);
	return min(queued, took);
#else
	return could_run(wait->left) ? took : 0;
#endif
}

/*
 * The rest of arrive(), for those few waits that are kept: @limit is what D was for that. The wait of
 * a task that waited already when the session began looks endless there, and so does one that ended
 * before it began, by clocks that differ. What they really took is less, so it is asked again.
 */
static noinline void keep_wait(struct ktally_cpu *cpu, struct task_struct *task, const struct ktally_wait *wait,
			       u64 start, u64 now, u64 limit)
{
	u64 took = now - ktally_offcpu_began(&cpu->session->offcpu, start), in_queue, began;
	struct ktally_kept *kept = &cpu->offcpu.kept;
	bool told = start & KTALLY_WAIT_TOLD;

	if (unlikely((s64)took < 0)) {
		cpu->offcpu.clock_regressions++;
		took = 0;
	}
	if (!told && took != now - start &&
	    (is_too_short(cpu, took) ||
	     !is_drawn(cpu->session, place_of(cpu->session, wait), start, limit, took)))
		return;
	if (READ_ONCE(ktally_disabled) || !ktally_kept_claim(cpu, task, told ? took : max(took, limit)))
		return;
	in_queue = time_in_queue(task, wait, took, now);
	began = told ? wait->told_start : ktime_get_mono_fast_ns() - took;
	kept->left = wait->left;
	kept->flags = wait->ended_by_interrupt ? KTALLY_OFFCPU_INTERRUPT : 0;
	kept->record = (struct ktally_offcpu) {
		.time		= began + took,
		.weight		= told ? took : max(took, limit),
		.start		= began,
		.blocked	= took - in_queue,
		.run_queue	= in_queue,
		.waker_task_id	= wait->waker_task_id,
		.waker_stack_id	= wait->waker_stack_id,
	};
}

/* From its creation to its first instruction a task waits, too. */
static noinline void arrive_new(struct ktally_cpu *cpu, struct task_struct *task)
{
	struct ktally_offcpu_cpu *part = &cpu->offcpu;
	u64 epoch = READ_ONCE(cpu->session->offcpu.epoch_time), start = task->start_time;
	u64 limit = keep_ns(cpu), now = ktime_get_mono_fast_ns(), took = now - start;

	if (!epoch || start < epoch || (s64)took < 0 || READ_ONCE(ktally_disabled) ||
	    !is_followed_new(cpu->session, task))
		return;
	part->waits++;
	if (is_too_short(cpu, took) || !is_drawn(cpu->session, task->pid, start, limit, took) ||
	    !ktally_kept_claim(cpu, task, max(took, limit)))
		return;
	part->kept.left = 0;
	part->kept.flags = 0;
	part->kept.record = (struct ktally_offcpu) {
		.time		= now,
		.weight		= max(took, limit),
		.start		= start,
		.run_queue	= took,
		.state		= KTALLY_OFFCPU_CREATED,
	};
}

/*
 * Whether the clock by which the scheduler charges a task for the CPU is local_clock(), read once at
 * the beginning of the switch. It is unless it leaves out the time of interrupts, or what a
 * hypervisor stole; nor is all noted of a task that runs on behalf of another.
 */
static bool is_charged_by_local_clock(void)
{
	return !IS_ENABLED(CONFIG_IRQ_TIME_ACCOUNTING) && !IS_ENABLED(CONFIG_PARAVIRT_TIME_ACCOUNTING) &&
	       !IS_ENABLED(CONFIG_SCHED_PROXY_EXEC);
}

/*
 * When the scheduler stopped, or started, to charge the task for the CPU. What it has done since to
 * find the next task, which can take long when it looks on other CPUs, belongs to neither: by this
 * the waits begin and end exactly where CPU time ends and begins. Where the two clocks can drift
 * apart, and have, now is the best guess.
 */
static u64 charged_at(const struct task_struct *task, u64 clock)
{
	u64 at = task->se.exec_start;

	return is_charged_by_local_clock() || likely(clock - at < NSEC_PER_MSEC) ? at : clock;
}

static void begin_wait(struct ktally_session *session, struct ktally_wait *wait, const struct task_struct *task,
		       u32 left, u64 now)
{
	wait->run_delay = ktally_run_delay(task);
	wait->left = left | ktally_left_in_iowait(task);
	if (session->offcpu.wakers) {
		wait->waker_task_id = 0;
		wait->waker_stack_id = 0;
		wait->ended_by_interrupt = false;
	}
	WRITE_ONCE(wait->start, now & ~KTALLY_WAIT_TOLD);
}

/* Ends the wait. That its place says so comes first, and does not depend on anything. */
static void end_wait(struct ktally_cpu *cpu, struct task_struct *task, struct ktally_wait *wait, u64 now)
{
	u64 start = xchg(&wait->start, 0);		/* against a flush that just now tells of it */
	u64 took = now - start, limit = keep_ns(cpu);

	cpu->offcpu.waits++;
	/* An open wait that was told has been kept: there is no other way for it to end. */
	if (likely(!(start & KTALLY_WAIT_TOLD)) &&
	    (is_too_short(cpu, took) ||
	     likely(!is_drawn(cpu->session, place_of(cpu->session, wait), start, limit, took))))
		return;
	keep_wait(cpu, task, wait, start, now, limit);
}

static __always_inline void arrive(struct ktally_cpu *cpu, struct task_struct *task, u64 clock)
{
	struct ktally_offcpu_cpu *part = &cpu->offcpu;
	struct ktally_wait *wait;

	part->running = NULL;
	if (ktally_is_any(task, PF_IDLE))
		return;
	wait = ktally_waits_find(&cpu->session->offcpu.waits, task);
	if (unlikely(!wait)) {
		if (ktally_never_ran(task))
			arrive_new(cpu, task);
		return;
	}
	part->running = task;
	part->running_wait = wait;
	if (likely(wait->start))
		end_wait(cpu, task, wait, charged_at(task, clock));
}

static void leave(struct ktally_cpu *cpu, struct task_struct *task, u32 left, u64 now)
{
	struct ktally_session *session = cpu->session;
	struct ktally_wait *wait;

	if (unlikely(left & TASK_DEAD)) {
		ktally_waits_remove(&session->offcpu.waits, task);
		return;
	}
	if (READ_ONCE(ktally_disabled) || !is_followed(session, task))
		return;
	wait = ktally_waits_find(&session->offcpu.waits, task) ?: ktally_waits_add(&session->offcpu.waits, task);
	if (likely(wait))
		begin_wait(session, wait, task, left, now);
	else
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_THREADS, 1, 0);
}

/*
 * A clock at each switch would cost more than all the rest of it. So some are timed, of those that go
 * the long way, and the time budget is charged that much for each. A time beyond the bound is somebody
 * else's: an NMI's, or a hypervisor's.
 */
#define SWITCHES_PER_TIMED 16
#define SWITCH_NS_MAX 10000

static void note_time(struct ktally_offcpu_cpu *part, u64 began)
{
	s32 took = min_t(u64, local_clock() - began, SWITCH_NS_MAX);

	part->switch_ns = part->switch_ns ? part->switch_ns + (took - (s32)part->switch_ns) / 8 : took;
}

/*
 * For each wait that has ended there was a switch; where not everybody is followed there were more, which
 * all went the long way. The next one goes that way, and may be timed.
 */
void ktally_offcpu_charge_switches(struct ktally_offcpu_cpu *part)
{
	u64 ended = part->waits - part->waits_charged;
	u32 careful = part->careful - part->careful_charged;

	part->budget.spent += max_t(u64, ended, careful) * part->switch_ns;
	part->waits_charged = part->waits;
	part->careful_charged = part->careful;
	part->running = NULL;
}

/* Whoever leaves is new, or dead, or must be looked at first. */
static noinline void switch_with_care(struct ktally_cpu *cpu, struct task_struct *prev, struct task_struct *next,
				      u32 left, u64 clock)
{
	bool is_timed = !(cpu->offcpu.careful++ % SWITCHES_PER_TIMED);
	u64 began = is_timed ? local_clock() : 0;

	leave(cpu, prev, left, charged_at(prev, clock));
	arrive(cpu, next, clock);
	if (is_timed)
		note_time(&cpu->offcpu, began);
}

/*
 * Nobody tells of what happens here: the CPU has no ring, for want of memory when it came online, or
 * the session was stopped. The table stays true all the same: whoever ends leaves it, and whoever
 * runs does not wait.
 */
static noinline void switch_unseen(struct ktally_session *session, struct task_struct *prev, struct task_struct *next,
				   u32 left)
{
	struct ktally_wait *wait = ktally_waits_find(&session->offcpu.waits, next);

	if (left & TASK_DEAD)
		ktally_waits_remove(&session->offcpu.waits, prev);
	if (wait)
		xchg(&wait->start, 0);			/* as in end_wait() */
}

/*
 * Called under the run queue's lock, interrupts off: nothing here may wake, print or wait. This is
 * what every switch of the host pays, so on the usual way there is nothing but a look into the table,
 * for who comes. Who leaves came here, and its place is known; it is still its own, for only death
 * takes it away, and that too would be a switch on this CPU. The unusual is behind calls at the end,
 * which leave the compiler's hands free.
 */
static void on_switch(KTALLY_SWITCH_PROBE_ARGUMENTS)
{
	struct ktally_session *session = data;
	struct ktally_cpu *cpu = ktally_session_cpu(session, smp_processor_id());
	u32 left = KTALLY_SWITCH_PREV_STATE | (preempt ? KTALLY_LEFT_PREEMPTED : 0);
	u64 clock = is_charged_by_local_clock() ? 0 : local_clock();	/* read only where it is needed */

	if (unlikely(!cpu || READ_ONCE(session->state) == KTALLY_STATE_STOPPED)) {
		switch_unseen(session, prev, next, left);
		return;
	}
	if (!ktally_is_any(prev, PF_IDLE)) {
		if (unlikely(cpu->offcpu.running != prev || left & TASK_DEAD || !session->offcpu.everybody ||
			     READ_ONCE(ktally_disabled))) {
			switch_with_care(cpu, prev, next, left, clock);
			return;
		}
		begin_wait(session, cpu->offcpu.running_wait, prev, left, charged_at(prev, clock));
	}
	arrive(cpu, next, clock);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

static struct ktally_probe probes[] = {
	{ "sched_switch", on_switch },
	{ "sched_waking", ktally_on_waking },		/* last: only for those who ask for wakers */
};

static void __maybe_unused check_signatures(void)
{
	check_trace_callback_type_sched_switch(on_switch);
	check_trace_callback_type_sched_waking(ktally_on_waking);
}

static unsigned int count_probes(const struct ktally_session *session)
{
	return session->setup.capture & KTALLY_CAPTURE_WAKER ? ARRAY_SIZE(probes) : ARRAY_SIZE(probes) - 1;
}

int ktally_offcpu_init(void)
{
	return ktally_probes_find(probes, ARRAY_SIZE(probes));
}

int ktally_offcpu_set_up(struct ktally_session *session)
{
	if (!(session->setup.sources & KTALLY_SOURCE_OFFCPU))
		return 0;
	session->offcpu.keep_ns = session->setup.keep_ns;
	session->offcpu.wait_min_ns = session->setup.wait_min_ns;
	INIT_WORK(&session->offcpu.tell, ktally_openwaits_work);
	return ktally_waits_init(&session->offcpu.waits, session->setup.threads);
}

void ktally_offcpu_release(struct ktally_session *session)
{
	ktally_waits_destroy(&session->offcpu.waits);
}

void ktally_offcpu_cpu_init(struct ktally_cpu *cpu)
{
	ktally_kept_init(cpu);
	ktally_budget_init(&cpu->offcpu.budget, cpu->session->setup.budget_ppm);
}

int ktally_offcpu_start(struct ktally_session *session)
{
	unsigned int number;
	int err;

	if (!(session->setup.sources & KTALLY_SOURCE_OFFCPU))
		return 0;
	for (number = 0; number < nr_cpu_ids; number++)
		if (session->cpus[number]) {
			ktally_budget_restart(&session->cpus[number]->offcpu.budget);
			session->cpus[number]->offcpu.running = NULL;
		}
	session->offcpu.everybody = session->gate.privileged && !session->filter.pids && !session->filter.cgroup_count;
	session->offcpu.wakers = session->setup.capture & KTALLY_CAPTURE_WAKER;
	session->offcpu.epoch = 0;
	session->offcpu.epoch_time = 0;
	ktally_sleepers_add(session);
	err = ktally_probes_register(probes, count_probes(session), session);
	if (err) {
		ktally_waits_clear(&session->offcpu.waits);
		return err;
	}
	WRITE_ONCE(session->offcpu.epoch, local_clock());
	WRITE_ONCE(session->offcpu.epoch_time, ktime_get_mono_fast_ns());
	session->offcpu.started = true;
	ktally_sleepers_correct(session);
	return 0;
}

void ktally_offcpu_stop(struct ktally_session *session)
{
	unsigned int number;

	if (!session->offcpu.started)
		return;
	ktally_probes_unregister(probes, count_probes(session), session);
	session->offcpu.started = false;
	for (number = 0; number < nr_cpu_ids; number++)
		if (session->cpus[number])
			ktally_offcpu_settle(session->cpus[number]);
	ktally_waits_clear(&session->offcpu.waits);
}

void ktally_offcpu_settle(struct ktally_cpu *cpu)
{
	irq_work_sync(&cpu->offcpu.work);
}
