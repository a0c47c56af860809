/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of functions and objects, as they are shown: demangled, printable, interned. Each is worked out once. Interned
 * strings stay for good, and anybody can write a file with a million functions: so there is a ceiling, past which new
 * names are refused.
 */
#ifndef KTALLY_NAMES_H
#define KTALLY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

struct names {
	struct map shown;		/* hash of the raw name -> interned */
	size_t bytes, most_bytes;
	uint64_t refused;
};

/* NULL: refused. folded: it is one of several that share their code, and " [folded]" says so. */
const char *names_function(struct names *names, const char *raw, bool folded);
const char *names_object(struct names *names, const char *path, size_t bytes);
void names_free(struct names *names);

#endif
