/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames with their names, and stacks of them. All strings are interned (map.h). */
#ifndef KTALLY_FRAME_H
#define KTALLY_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/ktally.h>

#include "classify/class.h"

struct owner;
struct tally_row;
struct topic_row;
struct topic_set;

enum frame_kind {
	FRAME_KERNEL,		/* the kernel or one of its modules */
	FRAME_NATIVE,		/* mapped from a file, or the vdso */
	FRAME_ANONYMOUS,	/* executable memory without a file: just-in-time compiled code */
	FRAME_UNKNOWN,		/* in no known mapping */
};

/* Where in its source a frame is, for those who asked for it (cli/source.h). */
struct source_line {
	const char *function;		/* its name alone: the frame's has the place behind it */
	const char *file;		/* path, as the compiler was given it; NULL: not known */
	uint32_t line;			/* 0: not known */
	bool inlined;			/* into the function of the next frame, which is at the same address */
};

struct frame {
	uint64_t address;		/* where it ran; with a file, its offset there */
	uint64_t object_address;	/* in the object, as linked: what symbol tables count in; else file offset */
	uint64_t function_offset;	/* from the start of the function, if that has a name */
	const char *function;		/* name of the function; NULL: unknown */
	const char *object;		/* path of the mapped file, "[kernel]", "[MODULE]", "[vdso]"; NULL: none */
	const char *build_id;		/* of the object, in hexadecimal; NULL: it has none, or it is not known */
	const struct source_line *source;	/* NULL: not known */
	uint32_t file;			/* number that the device gave to the file; 0: told by address */
	enum frame_kind kind;
};

/* How a stack ended, KTALLY_END_*, in one word. */
#define STACK_ENDS (KTALLY_END_FOREIGN + 1)
extern const char *const stack_end_names[STACK_ENDS];

/* Where samples of a stack went last: mostly, that is where the next one goes. Nobody but profile.c looks at it. */
struct stack_memo {
	const struct owner *owner;
	const char *syscall;
	struct tally_row *row;
	struct topic_row *topics;
	const struct topic_set *set;
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
	bool hurried;			/* there was no time to name it: it is named when it is sampled again */
	bool unkept;			/* there is no room for its frames in cells */
	struct stack_memo memo;		/* here, as all that a sample of a known stack looks at is then in 64 bytes */
	struct class class;
	const struct topic_set *topics;	/* what its time counts for beside the class, see topics.h; NULL: it is not named yet */
	const char *wait_cause;		/* what the frames say of why a task waits here, see wait.h; NULL: nothing */
	struct frame frames[];		/* innermost (leaf) first */
};

/* How many frames, from this one on, are at one address: functions that were inlined, and the one that they were inlined into. */
static inline unsigned int stack_inlined(const struct stack *stack, unsigned int frame)
{
	unsigned int count = 1, all = (unsigned int)stack->kernel_frames + stack->user_frames;

	while (frame + count < all && stack->frames[frame + count - 1].source && stack->frames[frame + count - 1].source->inlined)
		count++;
	return count;
}

#endif
