/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bounded set of 64-bit ids that forgets: what a ring's reader has been told. Forgetting is
 * harmless, the thing is then told once more; so the set needs no list, no allocation and no more
 * than one cache line per look-up.
 */
#ifndef KTALLY_SET_H
#define KTALLY_SET_H

#include <linux/types.h>

#define KTALLY_SET_WAYS 8	/* of 8 bytes: a cache line */

/**
 * struct ktally_set - used by its own CPU with interrupts off, never from an NMI
 * @lines: one line of ids for each value of the lower bits of an id; 0 is no id
 * @mask: number of lines less one
 */
struct ktally_set {
	u64 (*lines)[KTALLY_SET_WAYS];
	u32 mask;
};

int ktally_set_init(struct ktally_set *set, u32 lines, int node);
void ktally_set_destroy(struct ktally_set *set);
bool ktally_set_contains(struct ktally_set *set, u64 id);
void ktally_set_add(struct ktally_set *set, u64 id);
void ktally_set_clear(struct ktally_set *set);

#endif /* KTALLY_SET_H */
