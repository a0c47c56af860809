/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames with their names, and stacks of them. All strings are interned (map.h). */
#ifndef KTALLY_FRAME_H
#define KTALLY_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "classify/class.h"

enum frame_kind {
	FRAME_KERNEL,		/* the kernel or one of its modules */
	FRAME_NATIVE,		/* mapped from a file, or the vdso */
	FRAME_ANONYMOUS,	/* executable memory without a file: just-in-time compiled code */
	FRAME_UNKNOWN,		/* in no known mapping */
};

struct frame {
	uint64_t address;		/* where it ran */
	uint64_t object_address;	/* in the object, as linked: what symbol tables count in; else file offset */
	uint64_t function_offset;	/* from the start of the function, if that has a name */
	const char *function;		/* name of the function; NULL: unknown */
	const char *object;		/* path of the mapped file, "[kernel]", "[MODULE]", "[vdso]"; NULL: none */
	enum frame_kind kind;
};

/* A distinct stack, named and classified once, when first sampled. */
struct stack {
	uint64_t id;			/* stack_id of the device */
	uint64_t mm_id;
	uint16_t kernel_frames;		/* come first */
	uint16_t user_frames;
	uint8_t kernel_end;		/* KTALLY_END_* */
	uint8_t user_end;
	bool named;			/* names and class are filled in */
	bool recent;			/* announced or sampled since the last profile_forget() */
	struct class class;
	const char *wait_cause;		/* what the frames say of why a task waits here, see wait.h; NULL: nothing */
	struct frame frames[];		/* innermost (leaf) first */
};

#endif
