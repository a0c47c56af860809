// SPDX-License-Identifier: GPL-2.0
#include "openwaits.h"

#include <linux/atomic.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "identity.h"
#include "records.h"
#include "session.h"
#include "unwind.h"

/* Borrowing an address space takes a kernel thread. */
static struct workqueue_struct *tellers;

/*
 * What is told of a task, in which session. @spent: nanoseconds that looking at it took, for the time budget, and
 * @longest: the longest piece of that. @took: what was charged, in all. @written: or counted as lost.
 */
struct ktally_story {
	struct ktally_session *session;
	u64 spent;
	u64 longest;
	u64 took;
	bool written;
	struct ktally_task who;
	struct pt_regs regs;
	bool has_user_part;
	bool compat;
	u16 flags;
	struct ktally_offcpu record;
	struct ktally_stack_buffer stack;
};

static void spend(struct ktally_story *story, u64 began)
{
	u64 took = local_clock() - began;

	story->spent += took;
	story->longest = max(story->longest, took);
}

/*
 * The task is asleep and stays so: it left the CPU because it had to wait, and waking it needs the
 * lock that we hold. Not so one that could run; that one may be run any moment.
 */
static bool is_asleep(struct task_struct *task, const struct ktally_wait *wait, u64 start)
{
	unsigned int state = READ_ONCE(ktally_task_state(task));

	lockdep_assert_held(&task->pi_lock);
	return READ_ONCE(wait->start) == start && !(wait->left & KTALLY_LEFT_PREEMPTED) &&
	       state != TASK_RUNNING && !(state & (TASK_WAKING | TASK_DEAD)) && !ktally_task_on_cpu(task);
}

static void look_from_outside(struct ktally_session *session, struct task_struct *task,
			      const struct ktally_wait *wait, u64 start, struct ktally_story *story)
{
	struct ktally_stack *stack = ktally_stack_of(&story->stack);
	u32 depth = ktally_stack_kernel_depth(session);
	unsigned long flags;
	u64 began;

	ktally_stack_begin(&story->stack);
	stack->kernel_end = depth ? KTALLY_END_BROKEN : KTALLY_END_NONE;
	story->record.syscall = KTALLY_SYSCALL_NONE;
	story->has_user_part = false;
	story->compat = false;

	raw_spin_lock_irqsave(&task->pi_lock, flags);
	began = local_clock();
	ktally_identify(&session->key, task, &story->who, story->record.time);
	/* That it was followed when it went to sleep is not enough: see write_kept(). */
	if (is_asleep(task, wait, start) && ktally_gate_permits_other(&session->gate, task)) {
		stack->kernel_end = KTALLY_END_NONE;
		if (depth)
			stack->kernel_frames = ktally_unwind_sleeping(task, stack->frames, depth, &stack->kernel_end);
		story->has_user_part = ktally_has_user_part(task);
		if (story->has_user_part) {
			story->regs = *task_pt_regs(task);
			story->record.syscall = ktally_syscall_of(task, &story->compat);
		}
	}
	spend(story, began);
	raw_spin_unlock_irqrestore(&task->pi_lock, flags);
}

static void add_user_stack(struct ktally_session *session, struct task_struct *task, struct ktally_story *story)
{
	struct mm_struct *mm;
	u64 began;

	if (!story->has_user_part || !(session->setup.capture & KTALLY_CAPTURE_USER))
		return;
	mm = get_task_mm(task);
	if (!mm)
		return;
	kthread_use_mm(mm);
	preempt_disable();
	began = local_clock();
	ktally_stack_add_user(&story->stack, session, task, &story->who, &story->regs);
	spend(story, began);
	preempt_enable();
	kthread_unuse_mm(mm);
	mmput_async(mm);	/* the last user's end may wait for I/O */
}

static void write_on_this_cpu(void *argument)
{
	struct ktally_story *story = argument;
	struct ktally_cpu *cpu = ktally_session_cpu(story->session, smp_processor_id());
	u64 began = local_clock();

	if (!cpu)
		return;
	ktally_budget_add(&cpu->offcpu.budget, story->spent, story->longest);
	ktally_records_begin(cpu);
	if (!ktally_records_admit(cpu) || !ktally_write_task(cpu, &story->who, false) ||
	    !ktally_write_stack(cpu, &story->stack) ||
	    !ktally_write_offcpu(cpu, &story->record, story->flags))
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_NOTICE, 1, 0);
	ktally_records_end(cpu);
	ktally_cpu_charge(cpu, &cpu->offcpu.budget, KTALLY_SOURCE_OFFCPU, began);
	story->took += story->spent + (local_clock() - began);
	story->spent = 0;
	story->longest = 0;
	story->written = true;
}

/*
 * Here, as a rule. But a worker may be on a CPU that the session does not sample, or that is dark to it: there is no
 * ring then. False: there is none of any CPU that is online.
 */
static bool write_story(struct ktally_story *story)
{
	struct ktally_stack *stack = ktally_stack_of(&story->stack);
	const struct cpumask *sampled = story->session->sampled;
	unsigned int number;

	ktally_stack_finish(stack, story->session);
	story->record.stack_id = stack->stack_id;
	story->record.task_id = story->who.task_id;
	story->flags = KTALLY_OFFCPU_PARTIAL | (story->compat ? KTALLY_OFFCPU_COMPAT : 0);
	story->written = false;
	smp_call_function_any(sampled, write_on_this_cpu, story, true);
	for_each_cpu(number, sampled) {
		if (story->written)
			break;
		if (ktally_session_cpu(story->session, number))
			smp_call_function_single(number, write_on_this_cpu, story, true);
	}
	return story->written;
}

static void tell(struct ktally_session *session, struct task_struct *task, u32 place, struct ktally_story *story)
{
	struct ktally_offcpu_session *offcpu = &session->offcpu;
	struct ktally_wait *wait = ktally_waits_at(&offcpu->waits, place);
	u64 start = READ_ONCE(wait->start), now = ktime_get_mono_fast_ns();
	u64 took = local_clock() - ktally_offcpu_began(offcpu, start);
	u32 left = wait->left;

	if (!start || (s64)took < 0 || took < READ_ONCE(offcpu->keep_ns) || took < READ_ONCE(offcpu->wait_min_ns) ||
	    (start & KTALLY_WAIT_TOLD && !offcpu->tell_again))
		return;

	/* Once told, its beginning stays what was told. */
	if (!(start & KTALLY_WAIT_TOLD))
		wait->told_start = now - took;
	story->record = (struct ktally_offcpu) {
		.time	= wait->told_start + took,
		.weight	= took,
		.start	= wait->told_start,
	};
	look_from_outside(session, task, wait, start, story);
	add_user_stack(session, task, story);
	/*
	 * Has it ended meanwhile, its stack may be anything; and its end was told by itself. The task may have
	 * ended, too, and its place be another's.
	 */
	if (cmpxchg(&wait->start, start, start | KTALLY_WAIT_TOLD) != start ||
	    !ktally_waits_has(&offcpu->waits, place, task))
		return;
	story->record.state = ktally_offcpu_state(left, story->record.syscall);
	if (story->record.state == KTALLY_OFFCPU_PREEMPTED || story->record.state == KTALLY_OFFCPU_YIELDED)
		story->record.run_queue = took;
	else
		story->record.blocked = took;
	/* What could not be told is told by the next flush, unless it was told before. */
	if (!write_story(story))
		cmpxchg(&wait->start, start | KTALLY_WAIT_TOLD, start);
}

void ktally_openwaits_work(struct work_struct *work)
{
	struct ktally_session *session = container_of(work, struct ktally_session, offcpu.tell);
	struct ktally_waits *waits = &session->offcpu.waits;
	u32 place;

	for (place = 0; place < ktally_waits_places(waits); place++) {
		struct task_struct *task;

		if (!(place % 1024))
			cond_resched();
		task = ktally_waits_get_task(waits, place);
		if (!task)
			continue;
		if (!ktally_waits_remove_dead(waits, place, task))
			tell(session, task, place, session->offcpu.story);
		put_task_struct(task);
		cond_resched();		/* each can take as long as a stack of any depth does */
	}
}

bool ktally_openwaits_are_told(const struct ktally_session *session)
{
	lockdep_assert_held(&session->lock);
	/* Once it is stopped its probes are idle, and what the table says ages. */
	return session->offcpu.started && ktally_session_state(session) != KTALLY_STATE_STOPPED;
}

int ktally_openwaits_tell(struct ktally_session *session, bool again)
{
	struct ktally_offcpu_session *offcpu = &session->offcpu;

	if (!ktally_openwaits_are_told(session))
		return 0;
	offcpu->story = kmalloc(sizeof(*offcpu->story), GFP_KERNEL_ACCOUNT);
	if (!offcpu->story)
		return -ENOMEM;
	offcpu->story->session = session;
	offcpu->story->spent = 0;
	offcpu->story->longest = 0;
	offcpu->story->took = 0;
	offcpu->tell_again = again;
	queue_work(tellers, &offcpu->tell);
	flush_work(&offcpu->tell);
	ktally_admission_worked(&session->admission, offcpu->story->took + offcpu->story->spent);
	kfree(offcpu->story);
	return 0;
}

int ktally_openwaits_init(void)
{
	tellers = alloc_workqueue("ktally", WQ_UNBOUND, 0);
	return tellers ? 0 : -ENOMEM;
}

void ktally_openwaits_exit(void)
{
	destroy_workqueue(tellers);
}
