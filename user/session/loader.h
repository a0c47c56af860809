/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens the files that were sampled, makes their unwind tables and loads them, and reads their symbols. All of that can take seconds,
 * or, for a file on a server that is gone, forever; so threads of its own do it while the rings are drained, and a file system that does
 * not answer keeps one or two of them and nobody else (jobs.h). A file is opened as soon as it is told of, whatever is being read: the
 * module lets go of it within a second of its process's end.
 *
 * Debug files that are downloaded come last: their files are done without them, and with them once more. A download may take minutes.
 */
#ifndef KTALLY_LOADER_H
#define KTALLY_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/libktally.h"
#include "symbols/symbols.h"

struct loader;
struct errand;

struct loader_options {
	const struct ktally_session *session;
	bool names;			/* symbols are wanted */
	bool contents;			/* and all of a file that nobody will find later by its path */
};

/* What was found out of a file. The path is malloc()ed. */
struct loaded {
	struct symbols_file file;
	bool again;			/* only its names were asked for */
	bool downloaded;		/* or they are those after a download, if it had any */
	void *packed;			/* all of it, by capture_pack(); NULL: it is not wanted */
	size_t packed_bytes, content_bytes;
};

struct loader_statistics {
	uint64_t tables;		/* that the module has */
	uint64_t tables_failed;		/* that could not be made, or that it refused */
	uint64_t tables_evicted;	/* of other files, that it dropped to make room */
	uint64_t files_hung;		/* that were being opened or read for more than ten seconds, when they were looked at */
	uint64_t files_refused;		/* that were not read, as too many of their owner's waited; the last one's owner: */
	uint32_t refused_user;
};

/* Tables go into the module for as long as the session is open. -errno: there is no thread to be had. */
int loader_create(struct loader **loader, const struct loader_options *options);
void loader_destroy(struct loader *loader);	/* what is not done is left undone, within two seconds */

/* What a FILE record tells. */
void loader_submit(struct loader *loader, const struct ktally_file *identity);

/* A file whose symbols were dropped: they are read once more, and nothing else is done. */
void loader_submit_again(struct loader *loader, const struct symbols_file *file);

/* As errands.give (symbols/errand.h). Waits for a tenth of a second at most, and in vain for a tenth of the time. */
void loader_ask(struct loader *loader, struct errand *errand);

/* Submitted, and not yet taken. And: submitted, not yet done, and not so late that nobody should wait for it any more. */
bool loader_has(struct loader *loader, uint32_t number);
bool loader_is_busy_with(struct loader *loader, uint32_t number);

/* False: it was never submitted, was taken before, or is not done. */
bool loader_take(struct loader *loader, uint32_t number, struct loaded *loaded);
bool loader_take_any(struct loader *loader, struct loaded *loaded);	/* one that is done */
void loaded_free(struct loaded *loaded);	/* not what the symbols made their own */

/* Until all is done that nothing keeps, or so many milliseconds have passed. */
void loader_wait(struct loader *loader, unsigned int milliseconds);

/* Says which files hang, each once. */
void loader_get_statistics(struct loader *loader, struct loader_statistics *statistics);

#endif
