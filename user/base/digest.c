// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/digest.h"

#define ROUNDS	12

static const uint64_t start[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Which word of the block each step of a round takes. */
static const uint8_t order[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 }, { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 }, { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 }, { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 }, { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t rotated(uint64_t value, unsigned int bits)
{
	return value >> bits | value << (64 - bits);
}

static void mix(uint64_t *v, unsigned int a, unsigned int b, unsigned int c, unsigned int d, uint64_t x, uint64_t y)
{
	v[a] += v[b] + x;
	v[d] = rotated(v[d] ^ v[a], 32);
	v[c] += v[d];
	v[b] = rotated(v[b] ^ v[c], 24);
	v[a] += v[b] + y;
	v[d] = rotated(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotated(v[b] ^ v[c], 63);
}

static void take_block(struct digest *digest, const uint8_t *block, size_t bytes, uint64_t last)
{
	uint64_t v[16], words[16];

	memcpy(words, block, sizeof(words));
	memcpy(v, digest->state, sizeof(digest->state));
	memcpy(v + 8, start, sizeof(start));
	digest->bytes += bytes;
	v[12] ^= digest->bytes;
	v[14] ^= last;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		const uint8_t *at = order[round % 10];

		for (unsigned int i = 0; i < 4; i++)
			mix(v, i, 4 + i, 8 + i, 12 + i, words[at[2 * i]], words[at[2 * i + 1]]);
		for (unsigned int i = 0; i < 4; i++)
			mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, words[at[8 + 2 * i]],
			    words[at[9 + 2 * i]]);
	}
	for (unsigned int i = 0; i < 8; i++)
		digest->state[i] ^= v[i] ^ v[8 + i];
}

void digest_begin(struct digest *digest)
{
	*digest = (struct digest){ 0 };
	memcpy(digest->state, start, sizeof(start));
	digest->state[0] ^= 0x01010000 ^ DIGEST_BYTES;		/* no key, no tree */
}

void digest_add(struct digest *digest, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	while (bytes) {
		size_t room = sizeof(digest->waiting) - digest->waiting_bytes, here = bytes < room ? bytes : room;

		if (!room) {
			take_block(digest, digest->waiting, sizeof(digest->waiting), 0);
			digest->waiting_bytes = 0;
			for (; bytes > sizeof(digest->waiting); bytes -= sizeof(digest->waiting), from += sizeof(digest->waiting))
				take_block(digest, from, sizeof(digest->waiting), 0);
			continue;
		}
		memcpy(digest->waiting + digest->waiting_bytes, from, here);
		digest->waiting_bytes += here;
		from += here;
		bytes -= here;
	}
}

void digest_add_number(struct digest *digest, uint64_t number)
{
	digest_add(digest, &number, sizeof(number));
}

void digest_finish(struct digest *digest, uint8_t *result)
{
	memset(digest->waiting + digest->waiting_bytes, 0, sizeof(digest->waiting) - digest->waiting_bytes);
	take_block(digest, digest->waiting, digest->waiting_bytes, ~0ULL);
	memcpy(result, digest->state, DIGEST_BYTES);
}
