/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture, read into a profile. A recorder learns the mappings of a process from its records, and those of a library
 * when it is first seen to run: so what names frames is read first, and records in a second pass over the file. From a
 * pipe there is one pass: a stack that came before the mappings it needs has no names then.
 */
#ifndef KTALLY_LOAD_H
#define KTALLY_LOAD_H

#include <stdbool.h>

#include "capture/capture.h"
#include "export/export.h"
#include "profile/profile.h"

#define LOAD_DEFAULT	"capture.ktally"

struct load {
	struct profile *profile;
	struct export_host host;		/* where and when it was recorded */
	const char *command;			/* that was recorded, NULL: none */

	/* To be set before, or zero: takes each sample. What it refers to stays valid, but for the record. */
	void (*on_sample)(void *context, const struct profile_sample *sample);
	void *context;
	struct source *source;			/* NULL: without source lines */
	bool cells;				/* as in struct profile_options */
	struct categories *categories;		/* too */
};

/*
 * An exit code: EXIT_OK; EXIT_FAILED for a file that is cut or damaged; else there is no profile. All but the first
 * with a message. After EXIT_FAILED too there may be a profile, of what could be read.
 */
int load_capture(struct load *load, const char *path);
void load_release(struct load *load);

/* The message and the exit code for -errno of capture_open(), and for that of capture_next(). */
int load_explain_open(const char *path, int error);
int load_explain_end(const char *path, int error);

/* On standard error, for formats that have no room for it: what the profile lacks. */
void load_warn_of_losses(const struct load *load);

/* The values of lines "key=value" in a CAPTURE_HOST chunk, one at a time: 1, or 0 at the end. *text is moved on. */
int load_next_value(const char **text, size_t *bytes, const char **key, const char **value);

#endif
