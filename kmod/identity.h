/* SPDX-License-Identifier: GPL-2.0 */
/* Who a sample is from: ids and the TASK record of the current task. */
#ifndef KTALLY_IDENTITY_H
#define KTALLY_IDENTITY_H

#include <linux/compiler.h>
#include <linux/ktally.h>
#include <linux/sched.h>

#include "hash.h"

static inline bool ktally_is_any(const struct task_struct *task, unsigned int flags)
{
	/* A task changes others of its flags as it goes, but those that tell what it is are so from its beginning. */
	return data_race(task->flags) & flags;
}

/* Whether a task has user registers and a user stack of its own. */
static inline bool ktally_has_user_part(const struct task_struct *task)
{
	return task->mm && !ktally_is_any(task, PF_KTHREAD | KTALLY_PF_WORKER);
}

/* Interrupts off, NMI, or under RCU. All of the record but its header. */
void ktally_identify(const struct ktally_key *key, struct task_struct *task, struct ktally_task *record, u64 time);

/* The same: its address space, 0: none that can be told. */
u64 ktally_mm_id(const struct ktally_key *key, const struct task_struct *task);

/*
 * Any context, of the current task or one that is held asleep: the system call it is in,
 * KTALLY_SYSCALL_NONE if none, and whether it is one for 32-bit programs.
 */
s32 ktally_syscall_of(struct task_struct *task, bool *compat);

/* Of a task in this very state of its life, whatever its name: what EXIT is matched by. */
static inline u64 ktally_life_hash(const struct ktally_key *key, u32 tid, u64 start_time)
{
	return ktally_hash_word(key, ktally_hash_word(key, key->start, tid), start_time);
}

#endif /* KTALLY_IDENTITY_H */
