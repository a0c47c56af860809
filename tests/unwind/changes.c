// SPDX-License-Identifier: GPL-2.0-or-later
/* Stacks that change from mapping to mapping: as long as they come back to the last few, and no longer than the ABI says. */
#include "check.h"
#include "scene.h"

#define SP (STACK + STACK_BYTES / 2)

/* Frames by frame pointers, the n-th of which executes where @address says. */
static void chain(unsigned int frames, u64 (*address)(unsigned int number))
{
	scene_begin();
	scene.registers.ip = address(0);
	scene.registers.bp = SP;
	for (unsigned int i = 1; i < frames; i++) {
		scene_word(SP + 16 * (u64)(i - 1), i + 1 < frames ? SP + 16 * (u64)i : 0);
		scene_word(SP + 16 * (u64)(i - 1) + 8, address(i) + 1);
	}
	scene_walk();
}

static u64 in_two_by_turns(unsigned int number)
{
	return number % 2 ? BARE + 0x100 : CODE + 0x100;
}

static u64 in_eight_by_turns(unsigned int number)
{
	return number % 8 < 2 ? in_two_by_turns(number) : 0x7f3000000000ULL + number % 8;
}

static u64 in_none(unsigned int number)
{
	return 0x7f3000000000ULL + 0x10 * (u64)number;
}

int main(void)
{
	unsigned int wrong = 0;

	chain(FRAMES_MAX, in_two_by_turns);
	check(scene.count == FRAMES_MAX && scene.end == KTALLY_END_COMPLETE, "two mappings by turns, all the way");
	chain(FRAMES_MAX, in_eight_by_turns);
	check(scene.count == FRAMES_MAX && scene.end == KTALLY_END_COMPLETE, "eight by turns");
	for (unsigned int i = 0; i < FRAMES_MAX; i++)
		wrong += scene.frames[i] != scene_frame(in_eight_by_turns(i));
	check(!wrong, "each in its mapping");
	chain(KTALLY_UNWIND_MAPPINGS, in_none);
	check(scene.count == KTALLY_UNWIND_MAPPINGS && scene.end == KTALLY_END_COMPLETE, "as many mappings as there may be");
	chain(KTALLY_UNWIND_MAPPINGS + 1, in_none);
	check(scene.count == KTALLY_UNWIND_MAPPINGS && scene.end == KTALLY_END_TRUNCATED, "one more");
	scene_end();
	return check_end();
}
