/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects in stock, for what runs in interrupts and so must not allocate: process context fills the
 * stock, an interrupt takes from it. When it is empty the interrupt does without; that must always
 * be an answer.
 */
#ifndef KTALLY_STOCK_H
#define KTALLY_STOCK_H

#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct ktally_stock - zeroed objects of one size
 * @lock: what follows; interrupts off
 * @first: linked by their first words
 * @count: of objects in stock
 * @most: of objects in stock
 * @bytes: of an object
 */
struct ktally_stock {
	raw_spinlock_t lock;	/* @first, @count */
	void *first;
	u32 count;
	u32 most;
	u32 bytes;
};

#define KTALLY_STOCK(name, size, number) \
	{ .lock = __RAW_SPIN_LOCK_UNLOCKED((name).lock), .bytes = (size), .most = (number) }

/*
 * Process context. Objects are charged to the module's memory limit; -ENOMEM when the stock did not
 * get full.
 */
int ktally_stock_fill(struct ktally_stock *stock);
void ktally_stock_empty(struct ktally_stock *stock);

/* Any context but NMI. NULL: there is none. */
void *ktally_stock_take(struct ktally_stock *stock);

/* Any context: worth filling. */
bool ktally_stock_is_low(const struct ktally_stock *stock);

/* Any context: the memory of an object that was taken is free again, or will be by RCU. */
void ktally_stock_discharge(const struct ktally_stock *stock);

#endif /* KTALLY_STOCK_H */
