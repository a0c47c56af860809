// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/classify.h"
#include "classify/library.h"
#include "classify/object.h"

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

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; name && i < count; i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

bool compiles_just_in_time(const char *runtime)
{
	static const char *const names[] = { "v8js", "jvm", "dotnet", "beam", "ruby", "php", "cpython" };

	return is_one_of(runtime, names, sizeof(names) / sizeof(names[0]));
}

static bool is_c_library(const char *library)
{
	static const char *const names[] = {
		"libc", "libpthread", "librt", "linux-vdso", "ld-linux-x86-64", "ld", "ld-musl-x86_64", "libc.musl-x86_64",
	};

	return is_one_of(library, names, sizeof(names) / sizeof(names[0]));
}

static const char *runtime_of_library(const char *library)
{
	for (size_t i = 0; library && i < sizeof(runtime_libraries) / sizeof(runtime_libraries[0]); i++) {
		if (!strncmp(library, runtime_libraries[i].library, strlen(runtime_libraries[i].library)))
			return intern(runtime_libraries[i].runtime);
	}
	return NULL;
}

static bool is_anonymous(const char *path)
{
	static const char *const prefixes[] = {
		"/memfd:", "/dev/zero", "/SYSV", "//anon", "[anon", "[heap]", "[stack",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return true;
	}
	return false;
}

static const char *native_area(const char *name)
{
	char text[sizeof("native/") + 255];

	snprintf(text, sizeof(text), "native/%.255s", name);
	return intern_passing(text, sizeof(text));
}

const struct object *object_of(const char *path)
{
	static struct map objects;
	static uint64_t names;
	struct object *object;
	const char *name;
	size_t bytes;

	if (intern_has_forgotten(&names))
		map_free_values(&objects);
	object = path ? map_get(&objects, (uintptr_t)path) : NULL;
	if (object || !path)
		return object;
	object = memory_zeroed(1, sizeof(*object));
	name = file_name(path, &bytes);
	object->name = intern_passing(name, bytes);
	object->library = library_name(path);
	object->runtime = runtime_of_library(object->library);
	object->area = native_area(object->library ? object->library : program_name(name, bytes));
	object->is_anonymous = is_anonymous(path);
	object->is_assembly = bytes > 4 && !memcmp(name + bytes - 4, ".dll", 4);
	object->is_c_library = is_c_library(object->library);
	map_put(&objects, (uintptr_t)path, object);
	return object;
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

static struct origin of_runtime(const char *runtime, const char *library)
{
	const char *name = intern(runtime);

	return (struct origin){ .runtime = name, .area = name, .library = library };
}

/* Just-in-time compiled code belongs to the runtime of the program, or to the one whose library called it. */
static struct origin of_anonymous(const char *runtime, const char *outer)
{
	if (compiles_just_in_time(runtime))
		return of_runtime(runtime, NULL);
	if (outer)
		return of_runtime(outer, NULL);
	return (struct origin){ .runtime = intern("native"), .area = intern("jit") };
}

struct origin origin_of(const struct frame *frame, const char *executable, const char *runtime, const char *outer)
{
	const struct object *object = object_of(frame->object);

	if (frame->kind == FRAME_ANONYMOUS || (object && object->is_anonymous))
		return of_anonymous(runtime, outer);
	if (frame->kind != FRAME_NATIVE || !object)
		return (struct origin){ .runtime = intern("native"), .area = intern("unknown") };
	if (!object->library && runtime && is_same_file(frame->object, executable))
		return of_runtime(runtime, NULL);
	if (object->runtime)
		return of_runtime(object->runtime, object->library);
	if (!object->library && object->is_assembly && runtime && !strcmp(runtime, "dotnet"))
		return of_runtime(runtime, NULL);
	return (struct origin){ .runtime = intern("native"), .area = object->area, .library = object->library };
}

const char *origin_outer(const struct frame *frame, const char *outer)
{
	const struct object *object = frame->kind == FRAME_NATIVE ? object_of(frame->object) : NULL;

	return object && compiles_just_in_time(object->runtime) ? object->runtime : outer;
}
