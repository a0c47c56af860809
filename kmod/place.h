/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the user unwinder meets the mappings: what is known of an address in the current address
 * space. No address space is described yet, so a frame is its address, and no table covers it.
 */
#ifndef KTALLY_PLACE_H
#define KTALLY_PLACE_H

#include <linux/err.h>
#include <linux/ktally.h>
#include <linux/types.h>

struct ktally_slot;
struct ktally_space;
struct ktally_table;

/**
 * struct ktally_place - what an address is
 * @frame: as the ABI has it
 * @offset: in the file, if @table
 * @table: that of the file, NULL: none
 */
struct ktally_place {
	u64 frame;
	u64 offset;
	struct ktally_table *table;
};

/* Any context but NMI, under rcu_read_lock(): of the current task; NULL where nothing is known. */
static inline const struct ktally_space *ktally_place_space(void)
{
	return NULL;
}

/* The same, and also while user memory is open: no calls. @address is a user address. */
static __always_inline void ktally_place_find(const struct ktally_space *space, u64 address,
					      struct ktally_place *place)
{
	place->frame = KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | address;
	place->offset = 0;
	place->table = NULL;
}

#endif /* KTALLY_PLACE_H */
