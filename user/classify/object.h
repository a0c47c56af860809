/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the file tells that code is from. Learnt once for each interned path, and anew when names were forgotten (intern.h). */
#ifndef KTALLY_OBJECT_H
#define KTALLY_OBJECT_H

#include <stdbool.h>

#include "profile/frame.h"

struct object {
	const char *library;		/* library_name(); NULL: not a shared library */
	const char *runtime;		/* of a library that is a runtime itself, NULL */
	const char *area;		/* "native/libcrypto", "native/openssl" */
	const char *name;		/* last part of the path */
	bool is_anonymous;		/* memory that has no name in the file system, though /proc/PID/maps has one for it */
	bool is_assembly;		/* .NET's precompiled code is in files of its own kind */
	bool is_c_library;		/* through which everybody calls the kernel */
};

const struct object *object_of(const char *path);	/* which must be interned; NULL gives NULL. Good until names are forgotten */

/* Runtimes that make code while they run. */
bool compiles_just_in_time(const char *runtime);

/* What a frame of user space belongs to. All interned. */
struct origin {
	const char *runtime;		/* as struct class has it */
	const char *area;
	const char *library;		/* NULL: not in a shared library */
};

/*
 * executable and runtime are those of the process, as for classify(); outer: the nearest runtime further out whose library calls
 * just-in-time compiled code, NULL: none.
 */
struct origin origin_of(const struct frame *frame, const char *executable, const char *runtime, const char *outer);

/* What "outer" is for frames further in than this one. */
const char *origin_outer(const struct frame *frame, const char *outer);

#endif
