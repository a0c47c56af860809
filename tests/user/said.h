/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was said on standard error, which is a file from said_begin() on. */
#ifndef KTALLY_SAID_H
#define KTALLY_SAID_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *said_file;

static inline bool said_begin(void)
{
	said_file = tmpfile();
	return said_file && dup2(fileno(said_file), STDERR_FILENO) >= 0;
}

/* Since the last call. */
static inline const char *said(void)
{
	static char text[4096];
	size_t bytes;

	fflush(stderr);
	rewind(said_file);
	bytes = fread(text, 1, sizeof(text) - 1, said_file);
	text[bytes] = '\0';
	if (ftruncate(fileno(said_file), 0))
		abort();
	rewind(said_file);
	lseek(STDERR_FILENO, 0, SEEK_SET);
	return text;
}

#endif
