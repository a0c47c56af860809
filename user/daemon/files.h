/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that ktallyd leaves for people's tools. A file that cannot be written is told once, until it can be again. */
#ifndef KTALLY_FILES_H
#define KTALLY_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"

struct file {
	char *path;
	export_writer *writer;		/* NULL: the metrics */
	uint32_t sources;		/* for the writer */
	bool failing;
};

#define FILES_MAX 12

struct files {
	struct file files[FILES_MAX];
	unsigned int count;
	bool failed;			/* some file, at some time: the exit status says so at the end */
};

/* directory may be NULL */
void files_add(struct files *files, const char *directory, const char *name, export_writer *writer, uint32_t sources);
void files_write(struct files *files, const struct profile *profile, const struct export_host *host, const struct metrics *metrics);
void files_release(struct files *files);

/* Makes the directory if it is not there. EXIT_OK, or an exit code after a message. */
int files_make_directory(const char *path);

#endif
