// SPDX-License-Identifier: GPL-2.0
#include "identity.h"

#include <linux/cgroup.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <asm/processor.h>
#include <asm/word-at-a-time.h>

/*
 * The current task cannot go away, nor can what it refers to, but for its cgroup and its parent: those are
 * RCU's, and interrupts off, or an NMI, are an RCU reader.
 */
static u64 cgroup_of_current(void)
{
	return cgroup_id(task_css_set(current)->dfl_cgrp);
}

static u32 parent_of_current(void)
{
	return rcu_dereference_sched(current->real_parent)->tgid;
}

/*
 * The bytes of a name up to its end, zeros after: what follows the end is left from an older,
 * longer name. It may be half old and half new while the task is being renamed; then it simply gets
 * one more id.
 */
static void name_of_current(u64 name[KTALLY_COMM_BYTES / sizeof(u64)])
{
	const struct word_at_a_time constants = WORD_AT_A_TIME_CONSTANTS;
	unsigned long zeros;

	BUILD_BUG_ON(sizeof(current->comm) != KTALLY_COMM_BYTES);
	memcpy(name, current->comm, KTALLY_COMM_BYTES);
	if (has_zero(name[0], &zeros, &constants)) {
		name[0] &= zero_bytemask(create_zero_mask(prep_zero_mask(name[0], zeros, &constants)));
		name[1] = 0;
	} else if (has_zero(name[1], &zeros, &constants)) {
		name[1] &= zero_bytemask(create_zero_mask(prep_zero_mask(name[1], zeros, &constants)));
	}
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

	name_of_current(name);
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
