/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers that do not tell how many were given before. Were they counted up plainly, who may see only its own processes
 * could have a new file of its own numbered now and then, and see by the gaps how many files others began to run
 * meanwhile; and by a low number that a file had been run by others before.
 *
 * So the n-th number is n, enciphered under a key that nobody else knows: a Feistel network, which has an inverse
 * whatever its function is; three rounds make a permutation that looks like any other. A stack can have dozens of new
 * files, whose numbers are made with interrupts off, so the function is the shorter of the kernel's two. 0 is no
 * number: where it would come out, it is enciphered once more.
 *
 * The tests compile this header in user space, too (tests/user/numbers.c).
 */
#ifndef KTALLY_NUMBERS_H
#define KTALLY_NUMBERS_H

#ifdef __KERNEL__
#include <linux/siphash.h>
#include <linux/types.h>
#endif

#define KTALLY_NUMBER_HALF_BITS	12
#define KTALLY_NUMBER_HALF_MASK	((1U << KTALLY_NUMBER_HALF_BITS) - 1)
#define KTALLY_NUMBER_MAX	((1U << 2 * KTALLY_NUMBER_HALF_BITS) - 1)
#define KTALLY_NUMBER_ROUNDS	3

static inline u32 ktally_number_mix(const hsiphash_key_t *key, u32 half, u32 round)
{
	return hsiphash_1u32(half << 8 | round, key) & KTALLY_NUMBER_HALF_MASK;
}

static inline u32 ktally_number_encipher(const hsiphash_key_t *key, u32 value)
{
	u32 left = value >> KTALLY_NUMBER_HALF_BITS, right = value & KTALLY_NUMBER_HALF_MASK, mixed, round;

	for (round = 0; round < KTALLY_NUMBER_ROUNDS; round++) {
		mixed = left ^ ktally_number_mix(key, right, round);
		left = right;
		right = mixed;
	}
	return left << KTALLY_NUMBER_HALF_BITS | right;
}

static inline u32 ktally_number_decipher(const hsiphash_key_t *key, u32 value)
{
	u32 left = value >> KTALLY_NUMBER_HALF_BITS, right = value & KTALLY_NUMBER_HALF_MASK, mixed, round;

	for (round = KTALLY_NUMBER_ROUNDS; round--;) {
		mixed = right ^ ktally_number_mix(key, left, round);
		right = left;
		left = mixed;
	}
	return left << KTALLY_NUMBER_HALF_BITS | right;
}

/* The @nth number, which is none of the others: both are from 1 to KTALLY_NUMBER_MAX. And which one a number is. */
static inline u32 ktally_number_of(const hsiphash_key_t *key, u32 nth)
{
	return ktally_number_encipher(key, nth) ?: ktally_number_encipher(key, 0);
}

static inline u32 ktally_number_place(const hsiphash_key_t *key, u32 number)
{
	return ktally_number_decipher(key, number) ?: ktally_number_decipher(key, 0);
}

#endif /* KTALLY_NUMBERS_H */
