// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The leaf decides. In the kernel: see kernel.c. In user space: a leaf in an interpreter, a virtual machine or a Go or
 * Rust program counts for the runtime, one in a library for the library, and one in another executable for that.
 */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "classify/classify.h"
#include "classify/kernel.h"
#include "classify/library.h"

/* Libraries that are the runtime itself, by how their names begin. */
static const struct {
	const char *library, *runtime;
} runtime_libraries[] = {
	{ "libpython", "cpython" },
	{ "libjvm", "jvm" },
	{ "libnode", "v8js" },
	{ "libv8", "v8js" },
	{ "libperl", "perl" },
	{ "libruby", "ruby" },
	{ "libphp", "php" },
	{ "libcoreclr", "dotnet" },
	{ "libclrjit", "dotnet" },
	{ "libbeam", "beam" },
};

/* Runtimes that make code while they run. */
static bool compiles_just_in_time(const char *runtime)
{
	static const char *const names[] = { "v8js", "jvm", "dotnet", "beam", "ruby", "php", "cpython" };

	for (size_t i = 0; runtime && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(runtime, names[i]))
			return true;
	}
	return false;
}

static const char *runtime_of_library(const char *library)
{
	for (size_t i = 0; library && i < sizeof(runtime_libraries) / sizeof(runtime_libraries[0]); i++) {
		if (!strncmp(library, runtime_libraries[i].library, strlen(runtime_libraries[i].library)))
			return intern(runtime_libraries[i].runtime);
	}
	return NULL;
}

/* Memory without a name in the file system, though /proc/PID/maps has one for it. .NET, for one, keeps its code so. */
static bool is_anonymous(const struct frame *frame)
{
	static const char *const prefixes[] = {
		"/memfd:", "/dev/zero", "/SYSV", "//anon", "[anon", "[heap]", "[stack",
	};

	if (frame->kind == FRAME_ANONYMOUS)
		return true;
	for (size_t i = 0; frame->object && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!strncmp(frame->object, prefixes[i], strlen(prefixes[i])))
			return true;
	}
	return false;
}

static bool is_same_file(const char *object, const char *executable)
{
	size_t object_bytes, executable_bytes;
	const char *object_name, *executable_name;

	if (!executable)
		return false;
	if (object == executable || !strcmp(object, executable))
		return true;
	/* Replaced by an upgrade while it runs, both paths may or may not say " (deleted)". */
	object_name = file_name(object, &object_bytes);
	executable_name = file_name(executable, &executable_bytes);
	return object_name - object == executable_name - executable && object_bytes == executable_bytes &&
	       !memcmp(object, executable, (size_t)(object_name - object) + object_bytes);
}

static const char *native_area(const char *name, size_t bytes)
{
	char text[sizeof("native/") + 255];

	snprintf(text, sizeof(text), "native/%.*s", bytes < 255 ? (int)bytes : 255, name);
	return intern(text);
}

static void be_runtime(struct class *class, const char *runtime)
{
	class->runtime = intern(runtime);
	class->area = class->runtime;
}

/* Just-in-time compiled code belongs to the runtime of the program, or to the one whose library called it. */
static void classify_anonymous(struct stack *stack, const char *runtime)
{
	struct class *class = &stack->class;

	if (compiles_just_in_time(runtime)) {
		be_runtime(class, runtime);
		return;
	}
	for (unsigned int i = 1; i < stack->user_frames; i++) {
		const struct frame *frame = &stack->frames[stack->kernel_frames + i];
		const char *found = NULL;

		if (frame->kind == FRAME_NATIVE)
			found = runtime_of_library(library_name(frame->object));
		if (compiles_just_in_time(found)) {
			be_runtime(class, found);
			return;
		}
	}
	class->runtime = intern("native");
	class->area = intern("jit");
}

static void classify_native(struct stack *stack, const struct frame *leaf, const char *executable, const char *runtime)
{
	struct class *class = &stack->class;
	const char *name;
	size_t bytes;

	class->shlib_name = library_name(leaf->object);
	if (!class->shlib_name && runtime && is_same_file(leaf->object, executable)) {
		be_runtime(class, runtime);
		return;
	}
	if (runtime_of_library(class->shlib_name)) {
		be_runtime(class, runtime_of_library(class->shlib_name));
		return;
	}
	class->runtime = intern("native");
	if (class->shlib_name) {
		class->area = native_area(class->shlib_name, strlen(class->shlib_name));
		return;
	}
	name = file_name(leaf->object, &bytes);
	/* .NET's precompiled code is in files of its own kind. */
	if (runtime && !strcmp(runtime, "dotnet") && bytes > 4 && !memcmp(name + bytes - 4, ".dll", 4))
		be_runtime(class, runtime);
	else
		class->area = native_area(name, bytes);
}

void classify(struct stack *stack, const char *executable, const char *runtime)
{
	struct class *class = &stack->class;
	const struct frame *leaf = stack->frames;

	*class = (struct class){ .area = intern("unknown") };
	if (stack->kernel_frames) {
		classify_kernel(stack);
		return;
	}
	if (!stack->user_frames)
		return;
	if (is_anonymous(leaf)) {
		classify_anonymous(stack, runtime);
	} else if (leaf->kind == FRAME_NATIVE && leaf->object) {
		classify_native(stack, leaf, executable, runtime);
	} else {
		class->runtime = intern("native");
	}
}
