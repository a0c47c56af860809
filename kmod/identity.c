// SPDX-License-Identifier: GPL-2.0
#include "identity.h"

#include <linux/cgroup.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>
#include <asm/processor.h>
#include <asm/thread_info.h>
#include <asm/word-at-a-time.h>

/* What a task refers to may go away, but not while there is an RCU reader; interrupts off, or an NMI, are one. */
static u64 cgroup_of(struct task_struct *task)
{
	return cgroup_id(task_css_set(task)->dfl_cgrp);
}

/*
 * Not so others that it points to. A task that nobody waits for is reaped while it still runs, up to its last switch;
 * from then on it is not told any more of a new parent, nor does it hold its leader, and both may be freed.
 */
static u32 parent_of(const struct task_struct *task)
{
	return pid_alive(task) ? rcu_dereference_sched(task->real_parent)->tgid : 0;
}

/*
 * The bytes of a name up to its end, zeros after: what follows the end is left from an older,
 * longer name. It may be half old and half new while the task is being renamed; then it simply gets
 * one more id.
 */
static void name_of(const struct task_struct *task, u64 name[KTALLY_COMM_BYTES / sizeof(u64)])
{
	const struct word_at_a_time constants = WORD_AT_A_TIME_CONSTANTS;
	unsigned long zeros;

	BUILD_BUG_ON(sizeof(task->comm) != KTALLY_COMM_BYTES);
	memcpy(name, task->comm, KTALLY_COMM_BYTES);
	if (has_zero(name[0], &zeros, &constants)) {
		name[0] &= zero_bytemask(create_zero_mask(prep_zero_mask(name[0], zeros, &constants)));
		name[1] = 0;
	} else if (has_zero(name[1], &zeros, &constants)) {
		name[1] &= zero_bytemask(create_zero_mask(prep_zero_mask(name[1], zeros, &constants)));
	}
}

/* Not by whether there is an mm: a process on its way out has none any more, and is no kernel thread. */
static u32 flags_of(struct task_struct *task)
{
	u32 flags = 0;

	if (ktally_is_any(task, PF_KTHREAD | KTALLY_PF_WORKER))
		flags |= KTALLY_TASK_KERNEL;
	else if (test_tsk_thread_flag(task, TIF_ADDR32))
		flags |= KTALLY_TASK_COMPAT;
	return flags;
}

/*
 * Threads share group leader and exec count, and so the mm_id. vfork shares the mm but not the id:
 * then the same mappings are known under two ids, which costs a little and confuses nobody. A task
 * keeps the id to its end, beyond the mm itself, for another id would make it another task; but a
 * thread that was reaped cannot tell any more when its process began.
 */
u64 ktally_mm_id(const struct ktally_key *key, const struct task_struct *task)
{
	u64 hash;

	if (ktally_is_any(task, PF_KTHREAD) || (task->group_leader != task && !pid_alive(task)))
		return 0;
	hash = ktally_life_hash(key, task->tgid, task->group_leader->start_boottime);
	return ktally_hash_id(ktally_hash_word(key, hash, READ_ONCE(task->self_exec_id)));
}

void ktally_identify(const struct ktally_key *key, struct task_struct *task, struct ktally_task *record, u64 time)
{
	u64 hash, name[KTALLY_COMM_BYTES / sizeof(u64)];

	name_of(task, name);
	record->time = time;
	record->mm_id = ktally_mm_id(key, task);
	record->cgroup_id = cgroup_of(task);
	record->start_time = task->start_boottime;
	record->pid = task->tgid;
	record->tid = task->pid;
	record->parent = parent_of(task);
	record->task_flags = flags_of(task);
	memcpy(record->comm, name, sizeof(name));

	hash = ktally_life_hash(key, record->tid, record->start_time);
	hash = ktally_hash_word(key, hash, record->mm_id);
	hash = ktally_hash_word(key, hash, record->cgroup_id);
	hash = ktally_hash_word(key, hash, record->task_flags);
	hash = ktally_hash_word(key, hash, name[0]);
	record->task_id = ktally_hash_id(ktally_hash_word(key, hash, name[1]));
}

/* Entry code leaves the number of the system call in orig_ax, and -1 there for anything else. */
s32 ktally_syscall_of(struct task_struct *task, bool *compat)
{
	int number;

	*compat = false;
	if (!ktally_has_user_part(task))
		return KTALLY_SYSCALL_NONE;
	number = (int)task_pt_regs(task)->orig_ax;
	if (number < 0)
		return KTALLY_SYSCALL_NONE;
#ifdef CONFIG_IA32_EMULATION
	*compat = task_thread_info(task)->status & TS_COMPAT;
#endif
	return number & ~__X32_SYSCALL_BIT;
}
