/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hash behind stack ids, task ids and mm ids: one wide multiplication a word. It is keyed per session with random
 * bits that user space never sees, so a process cannot shape its stack to get the id of another's.
 */
#ifndef KTALLY_HASH_H
#define KTALLY_HASH_H

#include <linux/types.h>

struct ktally_key {
	u64 start;
	u64 step;	/* odd */
};

static inline u64 ktally_hash_word(const struct ktally_key *key, u64 hash, u64 word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * key->step;

	/* Adding the hash keeps it alive should the product ever be zero. */
	return ((u64)product ^ (u64)(product >> 64)) + hash;
}

/* Zero means "none" in all of these ids. */
static inline u64 ktally_hash_id(u64 hash)
{
	return hash ?: 1;
}

#endif /* KTALLY_HASH_H */
