/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of an ELF file once it was read, or of a file that tells of just-in-time compiled code; and the cache of
 * that, bounded in bytes. What a file takes is the burden of the user whose process first needed it. When there is too much, the user
 * who has most loses what was used longest ago of it: so whoever reads in file after file pushes out its own, and nobody else's.
 */
#ifndef KTALLY_FILE_H
#define KTALLY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "symbols/elf.h"
#include "symbols/table.h"

struct file {
	struct table table;
	struct elf_segment *segments;	/* from offsets to addresses */
	size_t segment_count;
	bool whole;			/* it has all functions, not merely those that others can call */
	uint8_t build_id[ELF_BUILD_ID_MOST];
	size_t build_id_bytes;
	const char *runtime;		/* "go" or "rust", if that is what its program is written in */
	struct jit *jit;		/* then there is nothing of the above */
	uint64_t key;
	size_t bytes;			/* of memory, all told */
	bool claimed;			/* it is known for whom it is kept: */
	uint32_t user;
	struct file *newer, *older;	/* in the cache's order of use */
};

/*
 * Reads the functions of an ELF file and of its debug file, which is looked for as by debug_open(). -errno of elf_open();
 * -EFBIG: more than most_bytes, even without local functions.
 */
int file_read(struct file **file, const struct elf_source *source, const char *path, int root, size_t most_bytes);
void file_free(struct file *file);

struct cache {
	struct map files;		/* by key */
	struct file *newest, *oldest;
	size_t bytes, most_bytes;	/* half as much again at worst, with a file that is larger than half */
	uint32_t user;			/* for whom files are asked for: to be set before */
	size_t piece;			/* see struct jit */
	struct map users;		/* -> bytes, as a number */
	uint64_t evicted;
};

struct file *cache_get(struct cache *cache, uint64_t key);	/* NULL if not there; else it is the newest, and somebody's, now */
void cache_put(struct cache *cache, uint64_t key, struct file *file);	/* drops others to make room, never this one */
struct file *cache_take(struct cache *cache, uint64_t key);	/* it is no longer in the cache; NULL if not there */
void cache_free(struct cache *cache);

#endif
