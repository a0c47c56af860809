/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the symbols have: shared by symbols.c, which names, mapped.c, sampled.c and jit.c, which find files, and nobody else. */
#ifndef KTALLY_SYMBOLS_STATE_H
#define KTALLY_SYMBOLS_STATE_H

#include "symbols/errand.h"
#include "symbols/file.h"
#include "symbols/kallsyms.h"
#include "symbols/mappings.h"
#include "symbols/names.h"
#include "symbols/symbols.h"

struct symbols {
	size_t most_bytes;
	struct kallsyms kernel;
	struct map spaces;		/* mm_id -> struct mappings */
	struct map users;		/* mm_id -> struct space_user */
	struct objects objects;		/* of all of them */
	struct map sampled;		/* number -> struct sampled */
	struct cache cache;
	struct names names;
	struct elf_source vdso;		/* memory NULL: not to be used */
	bool leave_reading;		/* to somebody else */
	struct errands errands;		/* who that is */
	bool pending;			/* something that was asked for is under way, */
	bool awaited;			/* and may come soon: see symbols_were_awaited() */
	uint64_t frames_named, frames_unknown, files_failed;
};

/* Whose address space it is. */
struct space_user {
	uint32_t user;
};

/* A file that frames name by number. */
struct sampled {
	struct symbols_file file;	/* its path is its own, its names are in the cache */
	uint64_t key;			/* in the cache */
	bool useless;			/* it was read, and has no symbols */
	bool has_names;			/* in the cache, or they were dropped from it */
	bool recent;			/* announced since symbols_forget_files() */
	unsigned int failures;		/* attempts to open it that failed */
};

/* Reads the file that is open, and caches it. 0 or -errno of file_read(). */
int symbols_read_opened(struct symbols *symbols, const struct symbols_opened *opened, uint64_t key, struct file **file);

void symbols_await(struct symbols *symbols, const struct errand *errand);	/* it is under way */

/* ---- mapped.c ---- */

/* What is known of a mapped file; NULL: nothing can be had, or not yet. */
struct file *mapped_file(struct symbols *symbols, const struct mappings *mappings, const struct mapping *mapping);
int mapped_open(const struct mappings *mappings, uint64_t address, struct symbols_opened *opened);

/* ---- sampled.c ---- */

struct sampled *sampled_get(const struct symbols *symbols, uint32_t number);	/* NULL: nobody told of it */
struct file *sampled_file(struct symbols *symbols, struct sampled *sampled);	/* NULL: nothing can be had */
int sampled_open(const struct sampled *sampled, struct symbols_opened *opened);
void sampled_free_all(struct symbols *symbols);

#endif
