// SPDX-License-Identifier: GPL-2.0
#include "stock.h"

#include <linux/slab.h>

#include "area.h"

static void put(struct ktally_stock *stock, void *object)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&stock->lock, flags);
	*(void **)object = stock->first;
	stock->first = object;
	WRITE_ONCE(stock->count, stock->count + 1);
	raw_spin_unlock_irqrestore(&stock->lock, flags);
}

void *ktally_stock_take(struct ktally_stock *stock)
{
	unsigned long flags;
	void **object;

	raw_spin_lock_irqsave(&stock->lock, flags);
	object = stock->first;
	if (object) {
		stock->first = *object;
		WRITE_ONCE(stock->count, stock->count - 1);
	}
	raw_spin_unlock_irqrestore(&stock->lock, flags);
	if (object)
		*object = NULL;
	return object;
}

bool ktally_stock_is_low(const struct ktally_stock *stock)
{
	return READ_ONCE(stock->count) < stock->most - stock->most / 4;
}

int ktally_stock_fill(struct ktally_stock *stock)
{
	while (READ_ONCE(stock->count) < stock->most) {
		int err = ktally_memory_charge(stock->bytes);
		void *object;

		if (err)
			return err;
		object = kzalloc(stock->bytes, GFP_KERNEL | __GFP_NOWARN);
		if (!object) {
			ktally_stock_discharge(stock);
			return -ENOMEM;
		}
		put(stock, object);
	}
	return 0;
}

void ktally_stock_empty(struct ktally_stock *stock)
{
	void *object;

	while ((object = ktally_stock_take(stock))) {
		kfree(object);
		ktally_stock_discharge(stock);
	}
}

void ktally_stock_discharge(const struct ktally_stock *stock)
{
	ktally_memory_uncharge(stock->bytes);
}
