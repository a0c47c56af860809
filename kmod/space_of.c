// SPDX-License-Identifier: GPL-2.0
#include "space_of.h"

#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>

#include "identity.h"
#include "session.h"

int ktally_space_of(const struct ktally_session *session, u32 pid, u64 *mm_id)
{
	struct task_struct *task;
	int err = -ESRCH;

	rcu_read_lock();
	task = pid_task(find_vpid(pid), PIDTYPE_PID);
	if (task) {
		/* It may run, execute another program or end meanwhile, but keeps its mm as long as this is held. */
		task_lock(task);
		*mm_id = ktally_mm_id(&session->key, task);
		if (task->mm && *mm_id && ktally_gate_permits_other(&session->gate, task))
			err = 0;
		task_unlock(task);
	}
	rcu_read_unlock();
	return err;
}
