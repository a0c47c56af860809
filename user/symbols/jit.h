/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of just-in-time compiled code, as far as the process itself tells them: in /tmp/perf-PID.map, a line for each
 * function ("START SIZE NAME", both numbers hexadecimal), or in a jitdump file, which is perf's format too, and which the
 * process maps as a sign. Both grow while it runs, so they are read on, from where they ended before, by who runs the errands.
 */
#ifndef KTALLY_JIT_H
#define KTALLY_JIT_H

#include "symbols/codes.h"
#include "symbols/file.h"
#include "symbols/mappings.h"

struct symbols;

struct jit {
	struct codes codes;
	uint64_t read_until;		/* byte of the file */
	uint64_t read_time;		/* when that was, CLOCK_MONOTONIC in nanoseconds */
	bool in_line;			/* a line that is too long to be one began before */
	bool useless;			/* it is not what it is called */
	size_t piece;			/* of the file, that is read at once; 0: all of it, nearly */
	struct map loads;		/* of a jitdump: index of a function -> where its record is */
};

/*
 * The function at an address of anonymous memory, NULL: none is known. What was read is kept in the cache. A process that
 * is gone may have left its map in our own /tmp.
 */
const char *jit_find(struct symbols *symbols, uint64_t mm_id, struct mappings *mappings, uint64_t address, uint64_t *start);

/* When others were known before: what was found by then. */
void jit_move(struct mappings *from, struct mappings *to);

/* What a process that is gone told. */
void jit_forget(struct cache *cache, struct mappings *mappings);

/* Goes on reading: what the file has more than before, but a bounded amount. */
void perf_map_read(struct jit *jit, const struct elf_source *source);
void jitdump_read(struct jit *jit, const struct elf_source *source);

size_t jit_bytes(const struct jit *jit);
void jit_free(struct jit *jit);

#endif
