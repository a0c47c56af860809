/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of functions and objects, as they are shown: demangled, printable, interned as passing (intern.h). Each is worked out once, and
 * forgotten when for the time between two names_forget() nobody asked for it, and nobody holds it.
 *
 * Anybody can write a file with a million functions: there is a ceiling, of which each user and each process has a share (pool.h). What
 * is past it is refused, to them alone, and counted. What has no name makes no area, owner or row either, so this bounds those, too.
 */
#ifndef KTALLY_NAMES_H
#define KTALLY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/pool.h"

struct names {
	struct map shown;		/* hash of the raw name -> struct shown */
	struct pool pool;		/* in bytes */
	struct pool_holder holder;	/* for whom names are asked: to be set before */
	size_t kept_bytes;		/* that were taken after the last names_forget() */
	uint64_t forgotten;
};

/* NULL: refused. folded: it is one of several that share their code, and " [folded]" says so. */
const char *names_function(struct names *names, const char *raw, bool folded);
const char *names_object(struct names *names, const char *path, size_t bytes);
const char *names_build_id(struct names *names, const char *hexadecimal, size_t bytes);

/* After who holds names has said so by intern_keep(): those that were asked for since the last time stay too. Before intern_forget(). */
void names_forget(struct names *names);

/* So much more has been taken since the last names_forget() that it is worth another. */
bool names_are_many(const struct names *names);

void names_free(struct names *names);

#endif
