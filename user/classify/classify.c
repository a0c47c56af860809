// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The leaf decides. In the kernel: see kernel.c. In user space: a leaf in an interpreter, a virtual machine or a Go or
 * Rust program counts for the runtime, one in a library for the library, and one in another executable for that.
 */
#include "base/map.h"
#include "classify/classify.h"
#include "classify/kernel.h"
#include "classify/object.h"

static const struct frame *user_frame(const struct stack *stack, unsigned int i)
{
	return &stack->frames[stack->kernel_frames + i];
}

/* The nearest library of a runtime further out than the i-th user frame. */
static const char *outer_runtime(const struct stack *stack, unsigned int i)
{
	const char *outer = NULL;

	while (!outer && ++i < stack->user_frames)
		outer = origin_outer(user_frame(stack, i), NULL);
	return outer;
}

/* Everybody calls the kernel through the C library: who called that is what one wants to know. */
static const char *caller_of(const struct stack *stack, const char *executable, const char *runtime)
{
	unsigned int i = 0;

	while (i < stack->user_frames && user_frame(stack, i)->object && object_of(user_frame(stack, i)->object)->is_c_library)
		i++;
	if (i == stack->user_frames)
		i = 0;
	return origin_of(user_frame(stack, i), executable, runtime, outer_runtime(stack, i)).area;
}

void classify(struct stack *stack, const char *executable, const char *runtime)
{
	struct class *class = &stack->class;
	struct origin origin;

	*class = (struct class){ .area = intern("unknown") };
	if (stack->kernel_frames) {
		classify_kernel(stack);
		if (stack->user_frames)
			class->caller = caller_of(stack, executable, runtime);
		return;
	}
	if (!stack->user_frames)
		return;
	origin = origin_of(stack->frames, executable, runtime, outer_runtime(stack, 0));
	class->runtime = origin.runtime;
	class->area = origin.area;
	class->shlib_name = origin.library;
}
