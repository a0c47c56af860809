/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which language runtime a program is, by what it is called: values as in classify/class.h. */
#ifndef KTALLY_RUNTIME_H
#define KTALLY_RUNTIME_H

#include <stddef.h>

/* NULL: by its name it is none of them. */
const char *runtime_of_executable(const char *path);

/* Of a library that only programs of that runtime map. */
const char *runtime_of_library(const char *path, size_t bytes);

#endif
