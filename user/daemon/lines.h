/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of lines that never grows past a size: then it becomes PATH.1, what was that PATH.2 and so on, the oldest goes, and another is
 * begun at the path. So do readers expect it that follow files (Filebeat, Fluent Bit): what they read has been whole lines at all times. If the
 * file was moved away by somebody else, by logrotate for one, another is begun too. What could not be written, as the disk is full, is
 * told once until it can be again, and counted.
 */
#ifndef KTALLY_LINES_H
#define KTALLY_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define LINES_BYTES_DEFAULT	(64ULL << 20)
#define LINES_FILES_DEFAULT	4
#define LINES_FILES_MOST	1000

#define LINES_FLAGS	(O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)	/* that the file is opened with */

struct lines;

/*
 * most_bytes of a file, if a single write is not longer, and `files` of them, the one that is written to included. EXIT_OK, or an exit
 * code after a message.
 */
int lines_create(struct lines **lines, const char *path, uint64_t most_bytes, unsigned int files);
void lines_destroy(struct lines *lines);

/* Appends whole lines: all of them, or none. */
void lines_write(struct lines *lines, const struct buffer *text);

uint64_t lines_lost(const struct lines *lines);		/* bytes that could not be written */

#endif
