/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The executable mappings of one address space, and the objects (mapped files) that many address spaces share. */
#ifndef KTALLY_MAPPINGS_H
#define KTALLY_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "symbols/names.h"

/* A line of /proc/PID/maps. */
struct mapping_line {
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	bool executable;
	const char *path;		/* in the text, not zero-terminated; empty for anonymous memory */
	size_t path_bytes;
};

/* With or without its newline. */
bool mappings_parse_line(const char *line, size_t bytes, struct mapping_line *mapping);

/* A mapped file, told apart from others by device, inode and path. Lives as long as something maps it. */
struct object {
	uint64_t key;			/* in the map of objects */
	uint64_t inode;
	uint32_t major, minor;
	uint32_t references;
	uint32_t failures;		/* attempts to open it that failed */
	uint32_t failed_pid;		/* by way of this process */
	int error;			/* -errno of the last one of them */
	bool useless;			/* it was read, and is not a file that symbols can be had from */
	bool known;			/* it was read, and what came of it goes by this key: */
	uint64_t file_key;
	struct errand *reading;		/* under way; NULL: none is */
	struct pool_holder holder;	/* whose mapping of it was the first */
	char *path;			/* as mapped, with " (deleted)" */
	size_t name_bytes;		/* of the path without that */
};

bool object_is_file(const struct object *object);	/* else "[vdso]" and the like */

struct mapping {
	uint64_t start, end, offset;
	struct object *object;		/* NULL: anonymous */
};

/* Where a process tells of the code that it makes: see jit.h. */
struct jit_source {
	uint64_t key;			/* in the cache, 0: nothing was found yet */
	uint64_t next_time, interval;	/* of looking again, CLOCK_MONOTONIC in nanoseconds */
	bool unread;			/* there is more in the file than was read by now */
	bool theirs;			/* it is to be found only as the process sees it (errand.h) */
	struct errand *reading;		/* under way; NULL: none is */
};

struct mappings {
	uint32_t pid;
	uint64_t started;		/* start time of the process, in the kernel's ticks; 0: not known */
	const char *executable;		/* interned, without " (deleted)"; NULL: not known, or refused (names.h) */
	const char *runtime;		/* see symbols_runtime() */
	bool runtime_known;
	bool jitdump_known;
	const struct mapping *jitdump;	/* in the list; NULL: there is none */
	struct jit_source jit[2];
	struct mapping *list;		/* sorted, without overlaps */
	size_t count;
	struct pool_holder holder;	/* of the list */
};

/*
 * Of all address spaces, and what they and their mappings may take: any process can have some ten thousand, each of another file, and as
 * many children that have them too. What is past a share is left out, as if it were not mapped.
 */
struct objects {
	struct map map;			/* key -> struct object */
	struct pool pool;		/* in bytes */
};

void objects_free(struct objects *objects);	/* that no mappings have any more */

/*
 * The executable lines of the text, for whom names are asked. The executable's name is one of `names`, as whoever may run programs may give
 * them new names without end; it may be NULL with them.
 */
struct mappings *mappings_parse(struct objects *objects, struct names *names, uint32_t pid, const char *executable, const char *text,
				size_t bytes);
void mappings_free(struct mappings *mappings, struct objects *objects);

const struct mapping *mappings_find(const struct mappings *mappings, uint64_t address);

#endif
