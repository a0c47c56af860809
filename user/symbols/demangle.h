/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++ and Rust names as people write them. */
#ifndef KTALLY_DEMANGLE_H
#define KTALLY_DEMANGLE_H

#include <stddef.h>

/*
 * Without arguments and return type. 0, or -EINVAL: not a mangled name, or one too long or too deep: use it as it is.
 */
int demangle(const char *mangled, char *into, size_t most);

#endif
