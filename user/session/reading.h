/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the loader's thread does with one file: opens it as the module holds it, makes its unwind table and loads that, reads its
 * symbols, keeps a copy. Nothing here is shared, nor in a hurry.
 */
#ifndef KTALLY_SESSION_READING_H
#define KTALLY_SESSION_READING_H

#include "session/loader.h"
#include "unwind/cache.h"

struct reading {
	struct loader_options options;
	struct unwind_cache cache;
	uint64_t contents_bytes;	/* of files that are kept whole */
	struct loader_statistics statistics;
};

void reading_begin(struct reading *reading, const struct loader_options *options);
void reading_end(struct reading *reading);

/* A descriptor or -errno; the path and what else is known of the file before it is read. */
int reading_open(const struct reading *reading, struct symbols_file *file);

/* By then the module may hold it no more. */
int reading_open_again(const struct reading *reading, const struct symbols_file *file);

/* All of it. file.downloading: its debug file is not here, and may be downloaded later. */
void reading_read(struct reading *reading, int fd, struct loaded *loaded);
void reading_read_names(int fd, struct symbols_file *file);

#endif
