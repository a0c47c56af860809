/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process made by hand: some memory, a mapped file with an unwind table, one without, and registers. */
#ifndef KTALLY_TEST_UNWIND_SCENE_H
#define KTALLY_TEST_UNWIND_SCENE_H

#include "kernel.h"
#include "maker.h"

#define CODE		0x555500000000ULL	/* of file 1, from offset CODE_OFFSET */
#define CODE_OFFSET	0x3000ULL
#define CODE_BYTES	0x40000ULL
#define BARE		0x7f2000000000ULL	/* of file 2, which has no table */
#define BARE_BYTES	0x10000ULL
#define STACK		0x7ffd00000000ULL
#define OTHER_STACK	0x7f1000000000ULL	/* below the first */
#define STACK_BYTES	0x10000ULL
#define FRAMES_MAX	512

struct scene {
	u8 stack[STACK_BYTES];
	u8 other_stack[STACK_BYTES];
	struct pt_regs registers;
	struct maker maker;
	struct mapping mappings[2];
	bool no_view;
	unsigned int depth;
	u64 frames[FRAMES_MAX + 1];
	unsigned int count;
	u8 end;
	u64 reads;
};

extern struct scene scene;

/* Everything zero; the leaf executes at CODE, with rsp in the middle of the first stack. */
void scene_begin(void);
/* @bytes of code from @address, of file 1, have this rule. In order. */
void scene_rule(u64 address, u64 bytes, struct ktally_unwind_rule rule);
void scene_word(u64 address, u64 word);
/* What is a frame of this address: in file 1, in file 2, or none. */
u64 scene_frame(u64 address);
void scene_walk(void);
void scene_end(void);

#endif
