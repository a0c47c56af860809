/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables that were made before, one file each in a directory, named by the build id of what they are of. Nothing in such
 * a file is believed: it has a checksum, and is checked as any table is. All together they have at most so many bytes;
 * those that were used longest ago go first.
 *
 * Anybody can write the build id of the C library into a file of his own. So only files count that belong to root or to
 * whoever runs this, and that nobody else may write; and only a table of a file with the same segments is the same.
 */
#ifndef KTALLY_UNWIND_CACHE_H
#define KTALLY_UNWIND_CACHE_H

#include "unwind/unwind.h"

struct unwind_cache {
	int directory;			/* open, and nobody else's to write; -1: no cache */
	uint64_t most_bytes;
};

/*
 * The cache of whoever runs this: in the directory that systemd gives to a service (CacheDirectory=), else, for root,
 * /var/cache/ktally. Where there is none, or it could be written by somebody else, every table is made anew.
 */
void unwind_cache_open(struct unwind_cache *cache, uint64_t most_bytes);
void unwind_cache_close(struct unwind_cache *cache);

/*
 * The table of an ELF file from the cache. with_debug: one that was made with a debug file at hand. 0; -ENOENT: not there,
 * or the file is none that is cached. What is there and wrong is removed.
 */
int unwind_cache_get(const struct unwind_cache *cache, const struct elf *elf, bool with_debug, struct unwind_table *table,
		     struct unwind_statistics *statistics);

/* Puts it there, whole or not at all, and makes room. 0 or -errno; -ENOENT: the file is none that is cached. */
int unwind_cache_put(const struct unwind_cache *cache, const struct elf *elf, bool with_debug,
		     const struct unwind_table *table, const struct unwind_statistics *statistics);

/* unwind_read(), but from the cache if it is there, and into it if not. */
int unwind_cache_read(const struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, size_t most_bytes,
		      struct unwind_table *table, struct unwind_statistics *statistics);

/* A table out of a file as the cache has it. -EBADMSG: not one of such a build id and segments. */
int unwind_cache_parse(int fd, const struct elf *elf, bool with_debug, struct unwind_table *table,
		       struct unwind_statistics *statistics);

#endif
