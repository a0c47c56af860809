/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread of the loader does with one file: opens it as the module holds it, makes its unwind table and loads that, reads its
 * symbols, keeps a copy. Several do so at once, each with another file; what they share are counters.
 */
#ifndef KTALLY_SESSION_READING_H
#define KTALLY_SESSION_READING_H

#include "session/loader.h"
#include "unwind/cache.h"

struct reading {
	struct loader_options options;
	struct ktally_session *session;	/* whoever begins it opens it, and closes it */
	struct unwind_cache cache;
	uint64_t contents_bytes;	/* of files that are kept whole; atomic, and so are */
	uint64_t tables, tables_failed, tables_evicted;	/* as in struct loader_statistics */
};

void reading_begin(struct reading *reading, const struct loader_options *options);
void reading_end(struct reading *reading);
void reading_get_statistics(const struct reading *reading, struct loader_statistics *statistics);

/* A descriptor or -errno; the path and what else is known of the file before it is read. */
int reading_open(const struct reading *reading, struct symbols_file *file);

/* By then the module may hold it no more. */
int reading_open_again(const struct reading *reading, const struct symbols_file *file);

/* All of it. file.downloading: its debug file is not here, and may be downloaded later. */
void reading_read(struct reading *reading, int fd, struct loaded *loaded);
void reading_read_names(int fd, struct symbols_file *file);

#endif
