/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers for sampling, in any context. Not for secrets: they only have to have nothing in common with what is
 * sampled. (Marsaglia's xorshift.)
 */
#ifndef KTALLY_RANDOM_H
#define KTALLY_RANDOM_H

#include <linux/random.h>
#include <linux/types.h>

/* A state is never 0. */
static inline u32 ktally_random_seed(void)
{
	return get_random_u32() | 1;
}

static inline u32 ktally_random_next(u32 *state)
{
	u32 x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

#endif /* KTALLY_RANDOM_H */
