/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of mapped files. See also library_name() in classify.h. */
#ifndef KTALLY_LIBRARY_H
#define KTALLY_LIBRARY_H

#include <stddef.h>

/* The last part of a path, not zero-terminated: without the directory and without " (deleted)". */
const char *file_name(const char *path, size_t *bytes);

#endif
