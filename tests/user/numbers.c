// SPDX-License-Identifier: GPL-2.0-or-later
/* kmod/numbers.h: each number comes once, is found again, and does not tell which one it was. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <linux/types.h>

typedef __u32 u32;
typedef __u64 u64;

/* Any function of the kernel's form will do. */
typedef struct {
	u64 key[2];
} hsiphash_key_t;

static u32 hsiphash_1u32(u32 value, const hsiphash_key_t *key)
{
	u64 x = (value ^ key->key[0]) * 0xbf58476d1ce4e5b9;

	x = (x ^ x >> 29 ^ key->key[1]) * 0x94d049bb133111eb;
	return (u32)(x ^ x >> 31);
}

#include "../../kmod/numbers.h"
#include "check.h"

static const hsiphash_key_t keys[] = {
	{ { 0x243f6a8885a308d3, 0x13198a2e03707344 } },
	{ { 0xa4093822299f31d0, 0x082efa98ec4e6c89 } },
};

static void each_comes_once(const hsiphash_key_t *key)
{
	bool *seen = calloc(KTALLY_NUMBER_MAX + 1, sizeof(*seen));
	u32 nth, wrong = 0;

	for (nth = 1; nth <= KTALLY_NUMBER_MAX; nth++) {
		u32 number = ktally_number_of(key, nth);

		wrong += !number || number > KTALLY_NUMBER_MAX || seen[number] || ktally_number_place(key, number) != nth;
		seen[number & KTALLY_NUMBER_MAX] = true;
	}
	check_number(wrong, 0, "each number comes once, and is found again");
	free(seen);
}

/* By chance a number is the larger of two neighbours half of the time, and 1 in 8192 is nearer to the last than 1024. */
static void order_is_chance(const hsiphash_key_t *key)
{
	u32 nth, larger = 0, near = 0, last = ktally_number_of(key, 1);

	for (nth = 2; nth <= 100001; nth++) {
		u32 number = ktally_number_of(key, nth);

		larger += number > last;
		near += number - last + 1024 < 2048;
		last = number;
	}
	check(larger > 49000 && larger < 51000, "%u of 100000 are larger than the one before", larger);
	check(near < 50, "%u of 100000 are near to the one before", near);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		each_comes_once(&keys[i]);
		order_is_chance(&keys[i]);
	}
	check(ktally_number_of(&keys[0], 1) != ktally_number_of(&keys[1], 1), "another key gives others");
	return check_end();
}
