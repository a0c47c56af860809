/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a frame and a name are called in front of people. Names come from anybody's files and processes: what is
 * appended here is well-formed UTF-8 without control characters, so it can neither break a format's lines nor drive a
 * terminal.
 */
#ifndef KTALLY_LABEL_H
#define KTALLY_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "profile/frame.h"

/* The text; a character of `separators` (may be NULL) becomes ':'. */
void label_text(struct buffer *buffer, const char *text, const char *separators);

/* The text, cut to `columns` characters (the end becomes "...") and filled up with spaces to as many. */
void label_padded(struct buffer *buffer, const char *text, size_t columns);

/*
 * The frame: its function; else "[OBJECT]" or, with addresses, "[OBJECT+0x1234]"; "[anonymous]" and "[unknown]" for
 * what is in no object. OBJECT is the last part of the path.
 */
void label_frame(struct buffer *buffer, const struct frame *frame, bool addresses, const char *separators);

const char *label_base_name(const char *path);

#endif
