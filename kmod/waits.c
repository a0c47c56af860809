// SPDX-License-Identifier: GPL-2.0
#include "waits.h"

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
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

void ktally_waits_clear(struct ktally_waits *waits)
{
	memset(waits->keys, 0, sizeof(*waits->keys) << waits->bits);
	memset(waits->waits, 0, sizeof(*waits->waits) * ktally_waits_places(waits));
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

struct ktally_wait *ktally_waits_add(struct ktally_waits *waits, struct task_struct *task)
{
	struct ktally_wait *wait = claim_in(waits, ktally_waits_bucket(waits, task, false), task);

	return wait ?: claim_in(waits, ktally_waits_bucket(waits, task, true), task);
}

void ktally_waits_remove(struct ktally_waits *waits, const struct task_struct *task)
{
	struct ktally_wait *wait = ktally_waits_find(waits, task);
	u32 place;

	if (!wait)
		return;
	place = wait - waits->waits;
	memset(wait, 0, sizeof(*wait));
	/* The place is clean before another can claim it: pairs with the cmpxchg() of claim_in(). */
	smp_store_release(&waits->keys[place / KTALLY_WAITS_WAYS][place % KTALLY_WAITS_WAYS], NULL);
}

struct task_struct *ktally_waits_key(const struct ktally_waits *waits, u32 place)
{
	return READ_ONCE(waits->keys[place / KTALLY_WAITS_WAYS][place % KTALLY_WAITS_WAYS]);
}
