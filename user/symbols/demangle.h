/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++, Rust and D names as people write them. Those of Go need nothing. */
#ifndef KTALLY_DEMANGLE_H
#define KTALLY_DEMANGLE_H

#include <stddef.h>

/*
 * Without arguments and return type. 0, or -EINVAL: not a mangled name, or one too long or too deep: use it as it is.
 */
int demangle(const char *mangled, char *into, size_t most);

int demangle_d(const char *mangled, char *into, size_t most);	/* of D only: it begins with "_D" */

#endif
