/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A terminal used as a whole: its own page, keys without Return, no cursor; and put back as it was at the end. Plain ANSI
 * sequences, which every terminal of the last thirty years has.
 */
#ifndef KTALLY_SCREEN_H
#define KTALLY_SCREEN_H

#include <stddef.h>
#include <stdbool.h>

#include "base/buffer.h"

struct screen {
	unsigned int rows, columns;
	unsigned int row;		/* of the frame that is being drawn */
	struct buffer frame;
	struct terminal *terminal;	/* as it was; NULL: not open */
};

int screen_open(struct screen *screen);		/* on standard input and output. 0 or -errno */
void screen_close(struct screen *screen);

void screen_begin(struct screen *screen);	/* a new frame; looks how large the terminal is now */
void screen_line(struct screen *screen, const char *text, bool bright);	/* cut to the width; nothing past the last row */
void screen_end(struct screen *screen);		/* shows it */

/* A key: a character, or 0 when there is none (more). Sequences of function keys are taken and say nothing. */
int screen_key(struct screen *screen);

/* Bytes of a UTF-8 text that take at most so many columns, taking each character for one column wide. */
size_t screen_fit(const char *text, unsigned int columns);

#endif
