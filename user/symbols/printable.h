/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names come from whoever wrote a file or named a thread, and end on terminals, in HTML and in JSON. What is kept of
 * them is UTF-8 without control characters; any other byte becomes a question mark.
 */
#ifndef KTALLY_PRINTABLE_H
#define KTALLY_PRINTABLE_H

#include <stddef.h>

void printable(char *string, size_t bytes);		/* in place */
const char *intern_printable(const char *string, size_t bytes);	/* up to the first zero */
const char *intern_passing_printable(const char *string, size_t bytes);	/* as passing (base/intern.h) */

#endif
