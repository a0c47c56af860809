/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a named stack into a class: see class.h for the values. Done once for each distinct stack. */
#ifndef KTALLY_CLASSIFY_H
#define KTALLY_CLASSIFY_H

#include "profile/frame.h"

/*
 * executable: path of the process's executable, NULL if not known; runtime: what symbols_runtime() says of it, NULL: native.
 * Fills in stack->class.
 */
void classify(struct stack *stack, const char *executable, const char *runtime);

/* Name of a system call by number ("read"), NULL if there is none; compat: numbered as for 32-bit programs. */
const char *syscall_name(int number, bool compat);

/* "libcrypto" of "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", interned; NULL if it is not the path of a shared library. */
const char *library_name(const char *path);

#endif
