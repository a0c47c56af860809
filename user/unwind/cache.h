/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables that were made before, one file each in a directory. All together they have at most so many bytes; those that were used
 * longest ago go first. Half of it is for files that are at their path here too, and half for those of containers, whose root may have as
 * many files as he likes: which half has more gives way. Nothing in such a file is believed: it has a checksum, and is checked as any table is.
 *
 * Anybody can write the build id of the C library into a file of his own, and the root of a container owns his files as root does. So
 * it is not asked whose a file is, nor what it calls itself: a table is taken for a file only after all that it was made of was read
 * again, and has the same digest (symbols/reads.h). That is a fifth of making it anew. Who has another file with the same headers can
 * have a table made once more, and nothing else.
 */
#ifndef KTALLY_UNWIND_CACHE_H
#define KTALLY_UNWIND_CACHE_H

#include <pthread.h>

#include "unwind/unwind.h"

enum unwind_cache_half {
	UNWIND_CACHE_HERE,
	UNWIND_CACHE_ELSEWHERE,
	UNWIND_CACHE_HALVES,
};

/* Zeroed at first, but for the first two. */
struct unwind_cache {
	int directory;			/* open, and nobody else's to write; -1: no cache */
	uint64_t most_bytes;
	pthread_mutex_t lock;		/* of what follows */
	uint64_t bytes;			/* at least what there is, but for what other processes put there since: */
	uint64_t listed;		/* when the directory was last read, CLOCK_MONOTONIC s + 1; 0: never */
};

/*
 * The cache of whoever runs this: in the directory that systemd gives to a service (CacheDirectory=), else, for root,
 * /var/cache/ktally. Where there is none, or it could be written by somebody else, every table is made anew.
 */
void unwind_cache_open(struct unwind_cache *cache, uint64_t most_bytes);
void unwind_cache_close(struct unwind_cache *cache);

/*
 * The table of an ELF file from the cache. debug: the debug file that is at hand, or NULL. 0; -ENOENT: not there, or the file is none
 * that is cached: only root's are, and those of whoever runs this. What is there and broken is removed.
 */
int unwind_cache_get(const struct unwind_cache *cache, const struct elf *elf, const struct elf *debug,
		     struct unwind_table *table, struct unwind_statistics *statistics);

/*
 * Puts it there, whole or not at all, and makes room. reads: what was read of the file, and of the debug file, while the table was
 * made; their digests are finished. 0 or -errno; -ENOENT: the file is none that is cached.
 */
int unwind_cache_put(struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, enum unwind_cache_half half,
		     struct elf_reads *reads, const struct unwind_table *table, const struct unwind_statistics *statistics);

/* unwind_read(), but from the cache if it is there, and into it if not. */
int unwind_cache_read(struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, enum unwind_cache_half half,
		      size_t most_bytes, struct unwind_table *table, struct unwind_statistics *statistics);

/* A table out of a file as the cache has it. -EBADMSG: broken, or not ours; -ESTALE: not made of these files. */
int unwind_cache_parse(int fd, const struct elf *elf, const struct elf *debug, struct unwind_table *table,
		       struct unwind_statistics *statistics);

#endif
