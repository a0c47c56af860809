// SPDX-License-Identifier: GPL-2.0
#include "identity.h"

#include <linux/cgroup.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <asm/processor.h>

/*
 * The current task cannot go away, nor can what it refers to, but for its cgroup and its parent:
 * those are RCU's, and RCU watches in interrupts and NMIs. The name may be half old and half new
 * while the task is being renamed; then it simply gets one more id.
 */
static u64 cgroup_of_current(void)
{
	u64 id;

	rcu_read_lock();
	id = cgroup_id(task_css_set(current)->dfl_cgrp);
	rcu_read_unlock();
	return id;
}

static u32 parent_of_current(void)
{
	u32 pid;

	rcu_read_lock();
	pid = rcu_dereference(current->real_parent)->tgid;
	rcu_read_unlock();
	return pid;
}

/* Not by whether there is an mm: a process on its way out has none any more, and is no kernel thread. */
static u32 flags_of_current(void)
{
	u32 flags = 0;

	if (current->flags & (PF_KTHREAD | KTALLY_PF_WORKER))
		flags |= KTALLY_TASK_KERNEL;
	else if (test_thread_flag(TIF_ADDR32))
		flags |= KTALLY_TASK_COMPAT;
	return flags;
}

/*
 * Threads share group leader and exec count, and so the mm_id. vfork shares the mm but not the id:
 * then the same mappings are known under two ids, which costs a little and confuses nobody. A task
 * keeps the id to its end, beyond the mm itself, for another id would make it another task.
 */
static u64 mm_of_current(const struct ktally_key *key)
{
	u64 hash = ktally_life_hash(key, current->tgid, current->group_leader->start_boottime);

	if (current->flags & PF_KTHREAD)
		return 0;
	return ktally_hash_id(ktally_hash_word(key, hash, current->self_exec_id));
}

void ktally_identify_current(const struct ktally_key *key, struct ktally_task *record, u64 time)
{
	u64 hash, name[KTALLY_COMM_BYTES / sizeof(u64)];

	BUILD_BUG_ON(sizeof(current->comm) != KTALLY_COMM_BYTES);

	/* Bytes after the terminating zero are whatever an older, longer name left there. */
	memset(name, 0, sizeof(name));
	strscpy((char *)name, current->comm, sizeof(name));

	record->time = time;
	record->mm_id = mm_of_current(key);
	record->cgroup_id = cgroup_of_current();
	record->start_time = current->start_boottime;
	record->pid = current->tgid;
	record->tid = current->pid;
	record->parent = parent_of_current();
	record->task_flags = flags_of_current();
	memcpy(record->comm, name, sizeof(name));

	hash = ktally_life_hash(key, record->tid, record->start_time);
	hash = ktally_hash_word(key, hash, record->mm_id);
	hash = ktally_hash_word(key, hash, record->cgroup_id);
	hash = ktally_hash_word(key, hash, record->task_flags);
	hash = ktally_hash_word(key, hash, name[0]);
	record->task_id = ktally_hash_id(ktally_hash_word(key, hash, name[1]));
}
