// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random tables and stacks, for so many seconds (10 when not said): none makes the unwinder crash, read where it must
 * not, or go on for longer than its depth lets it. KTALLY_UNWIND_SEED repeats a run.
 */
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "hostile.h"

#define BYTES 8192

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;	/* the lower bits of two in a row have too much in common */
}

int main(int count, char **arguments)
{
	static const char * const names[] = { "none", "complete", "truncated", "broken", "hole", "no_table", "foreign" };
	const char *given = getenv("KTALLY_UNWIND_SEED");
	u64 seed = given ? strtoull(given, NULL, 0) : (u64)time(NULL) * 1000003 ^ (u64)getpid(), state = seed | 1;
	double seconds = count > 1 ? strtod(arguments[1], NULL) : 10, end = now() + seconds;
	struct hostile hostile = { 0 };
	u64 bytes[BYTES / sizeof(u64)];

	printf("# KTALLY_UNWIND_SEED=%llu\n", seed);
	while (now() < end) {
		for (unsigned int i = 0; i < BYTES / sizeof(u64); i++)
			bytes[i] = next(&state);
		for (unsigned int i = 0; i < 100; i++) {
			/* The same but for a few words: what the table's sizes are stays. */
			for (unsigned int j = 0; j < 40; j++)
				bytes[(next(&state) >> 32) % (BYTES / sizeof(u64))] = next(&state);
			hostile_try(&hostile, (const u8 *)bytes, sizeof(bytes));
		}
	}
	printf("# %llu walks, %llu frames, %llu tables refused\n", hostile.walks, hostile.frames, hostile.refused);
	check(hostile.refused && hostile.walks > 100 * seconds && hostile.frames > hostile.walks,
	      "random tables and stacks");
	for (unsigned int i = KTALLY_END_COMPLETE; i <= KTALLY_END_FOREIGN; i++)
		check(hostile.ends[i], "%llu of them ended as: %s", hostile.ends[i], names[i]);
	return check_end();
}
