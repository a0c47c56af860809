// SPDX-License-Identifier: GPL-2.0
#include "sleepers.h"

#include <linux/atomic.h>
#include <linux/idr.h>
#include <linux/lockdep.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/tracepoint.h>

#include "session.h"

/* False: there is no place; each that has none is counted as lost when it leaves the CPU next. */
static bool add_if_waiting(struct ktally_session *session, struct task_struct *task)
{
	struct ktally_wait *wait;

	/* Found already: it took over the id of its process by exec. */
	if (ktally_task_on_cpu(task) || READ_ONCE(ktally_task_state(task)) & TASK_DEAD ||
	    !ktally_filter_passes(&session->filter, task) || ktally_waits_find(&session->offcpu.waits, task))
		return true;
	wait = ktally_waits_add(&session->offcpu.waits, task);
	if (!wait)
		return false;
	wait->run_delay = ktally_run_delay(task);
	wait->left = READ_ONCE(ktally_task_state(task)) | ktally_left_in_iowait(task);
	wait->start = KTALLY_WAIT_BEFORE;
	return true;
}

/*
 * Who waits already. Before the probes are there nobody else uses the table. For those who may not
 * see all this is left out: whose a task is can only be told of the current one. In pieces, by
 * thread ids in their order, as there may be hundreds of thousands.
 */
void ktally_sleepers_add(struct ktally_session *session)
{
	int number = 0, left;
	struct pid *pid;
	bool more;

	if (!session->gate.privileged)
		return;
	do {
		rcu_read_lock();
		for (left = 256, more = true; left && more; left--) {
			struct task_struct *task;

			number++;
			pid = idr_get_next(&init_pid_ns.idr, &number);
			task = pid ? pid_task(pid, PIDTYPE_PID) : NULL;
			more = pid && (!task || add_if_waiting(session, task));
		}
		rcu_read_unlock();
		cond_resched();
	} while (more);
}

/*
 * What the probes did not see of those who were added before them: who has died, and who runs and so
 * does not wait. The others are met by the probes from here on.
 */
void ktally_sleepers_correct(struct ktally_session *session)
{
	struct ktally_waits *waits = &session->offcpu.waits;
	u32 place;

	lockdep_assert_held(&session->lock);
	tracepoint_synchronize_unregister();	/* no switch is under way that began without the probes */
	for (place = 0; place < ktally_waits_places(waits); place++) {
		struct task_struct *task = ktally_waits_get_task(waits, place);

		if (!(place % 1024))
			cond_resched();
		if (!task)
			continue;
		if (!ktally_waits_remove_dead(waits, place, task) && ktally_task_on_cpu(task))
			cmpxchg(&ktally_waits_at(waits, place)->start, KTALLY_WAIT_BEFORE, 0);
		put_task_struct(task);
	}
}
