/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of mapped files, without versions. See also library_name() in classify.h. */
#ifndef KTALLY_LIBRARY_H
#define KTALLY_LIBRARY_H

#include <stddef.h>

/* The last part of a path, not zero-terminated: without the directory and without " (deleted)". */
const char *file_name(const char *path, size_t *bytes);

/* The name of a program without its version, interned: "python" of "python3.11", "gcc" of "gcc-12", "sha256sum" as it is. */
const char *program_name(const char *name, size_t bytes);

#endif
