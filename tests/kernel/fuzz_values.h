/* SPDX-License-Identifier: GPL-2.0 */
/* Random values for the fuzzer, reproducible from its seed; a fork's child goes on with a copy. */
#ifndef KTALLY_TEST_FUZZ_VALUES_H
#define KTALLY_TEST_FUZZ_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t state;

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL >> 3;
}

/* Also of nothing. */
static uint64_t below(uint64_t bound)
{
	return bound ? any() % bound : 0;
}

static bool one_in(uint64_t n)
{
	return !below(n);
}

/* A value near those where behaviour changes. */
static uint64_t tricky(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 4, 7, 8, 16, 19, 80, 127, 128, 199, 512, 4096, 10000, 16384, 65536, 262144, 500000, 1 << 20,
		16 << 20, 1U << 31, UINT32_MAX, 1ULL << 32, 1ULL << 47, INT64_MAX, UINT64_MAX, 0xffff888000000000,
	};
	uint64_t value = values[below(ARRAY_SIZE(values))];

	switch (below(8)) {
	case 0:
		return value + 1;
	case 1:
		return value - 1;
	case 2:
		return any();
	default:
		return value;
	}
}

#endif /* KTALLY_TEST_FUZZ_VALUES_H */
