// SPDX-License-Identifier: GPL-2.0
#include "waits.h"

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "area.h"

static u32 bucket_bits(u32 threads)
{
	return max_t(u32, order_base_2(threads), ilog2(KTALLY_WAITS_WAYS) + 1) - ilog2(KTALLY_WAITS_WAYS);
}

u64 ktally_waits_bytes(u32 threads)
{
	return (sizeof(struct ktally_wait) + sizeof(struct task_struct *)) *
	       ((u64)KTALLY_WAITS_WAYS << bucket_bits(threads));
}

u32 ktally_waits_places(const struct ktally_waits *waits)
{
	return KTALLY_WAITS_WAYS << waits->bits;
}

int ktally_waits_init(struct ktally_waits *waits, u32 threads)
{
	u64 bytes = ktally_waits_bytes(threads);
	int err;

	BUILD_BUG_ON(sizeof(struct ktally_wait) != 64);
	err = ktally_memory_charge(bytes);
	if (err)
		return err;
	waits->bits = bucket_bits(threads);
	waits->keys = kvcalloc(1UL << waits->bits, sizeof(*waits->keys), GFP_KERNEL_ACCOUNT);
	waits->waits = kvcalloc(ktally_waits_places(waits), sizeof(*waits->waits), GFP_KERNEL_ACCOUNT);
	if (waits->keys && waits->waits)
		return 0;
	ktally_waits_destroy(waits);
	return -ENOMEM;
}

void ktally_waits_destroy(struct ktally_waits *waits)
{
	if (!waits->bits)
		return;
	kvfree(waits->waits);
	kvfree(waits->keys);
	ktally_memory_uncharge(ktally_waits_bytes(ktally_waits_places(waits)));
	memset(waits, 0, sizeof(*waits));
}

static struct task_struct **key_at(const struct ktally_waits *waits, u32 place)
{
	return &waits->keys[place / KTALLY_WAITS_WAYS][place % KTALLY_WAITS_WAYS];
}

/*
 * A key on its way out: its task is not found any more, and the place is not free yet. Two who take
 * the same task out, its last switch and ktally_waits_remove_dead(), compete for putting it there.
 */
#define LEAVING ((struct task_struct *)1UL)

/* True: the reference that was the key is the caller's. */
static bool take_out(struct ktally_waits *waits, u32 place, struct task_struct *task)
{
	struct task_struct **key = key_at(waits, place);

	if (cmpxchg(key, task, LEAVING) != task)
		return false;
	memset(&waits->waits[place], 0, sizeof(*waits->waits));
	/* The place is clean before another can claim it: pairs with the cmpxchg() of claim_in(). */
	smp_store_release(key, NULL);
	return true;
}

void ktally_waits_clear(struct ktally_waits *waits)
{
	u32 place;

	for (place = 0; place < ktally_waits_places(waits); place++) {
		struct task_struct *task = *key_at(waits, place);

		if (!(place % 1024))
			cond_resched();
		if (task && take_out(waits, place, task))
			put_task_struct(task);
	}
}

static struct ktally_wait *claim_in(struct ktally_waits *waits, u64 bucket, struct task_struct *task)
{
	struct task_struct **keys = waits->keys[bucket];
	unsigned int way;

	for (way = 0; way < KTALLY_WAITS_WAYS; way++)
		if (!READ_ONCE(keys[way]) && !cmpxchg(&keys[way], NULL, task))
			return &waits->waits[bucket * KTALLY_WAITS_WAYS + way];
	return NULL;
}

/* The caller's own hold on the task lasts until the key has one. */
struct ktally_wait *ktally_waits_add(struct ktally_waits *waits, struct task_struct *task)
{
	struct ktally_wait *wait = claim_in(waits, ktally_waits_bucket(waits, task, false), task) ?:
				   claim_in(waits, ktally_waits_bucket(waits, task, true), task);

	if (wait)
		get_task_struct(task);
	return wait;
}

void ktally_waits_remove(struct ktally_waits *waits, struct task_struct *task)
{
	struct ktally_wait *wait = ktally_waits_find(waits, task);

	if (wait && take_out(waits, wait - waits->waits, task))
		put_task_struct(task);
}

struct task_struct *ktally_waits_get_task(const struct ktally_waits *waits, u32 place)
{
	struct task_struct *task;

	rcu_read_lock();
	task = READ_ONCE(*key_at(waits, place));
	if (task == LEAVING)
		task = NULL;
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

bool ktally_waits_has(const struct ktally_waits *waits, u32 place, const struct task_struct *task)
{
	return READ_ONCE(*key_at(waits, place)) == task;
}

/*
 * A task that dies says so in its state while it still runs; so when it is seen off the CPU after
 * that, its last switch is over, the probe of it included.
 */
static bool is_over(struct task_struct *task)
{
	if (!(READ_ONCE(ktally_task_state(task)) & TASK_DEAD))
		return false;
	smp_rmb();				/* its state was written before on_cpu was cleared */
	if (ktally_task_on_cpu(task))
		return false;
	smp_acquire__after_ctrl_dep();		/* pairs with the release of on_cpu in finish_task() */
	return true;
}

bool ktally_waits_remove_dead(struct ktally_waits *waits, u32 place, struct task_struct *task)
{
	if (!is_over(task))
		return false;
	if (take_out(waits, place, task))
		put_task_struct(task);
	return true;
}
