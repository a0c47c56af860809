/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text and bytes on their way to a FILE. Writers format into output.buffer, which is written out whenever it has grown,
 * and ask for the outcome once, at the end: the first error stays, and nothing is written after it.
 */
#ifndef KTALLY_OUTPUT_H
#define KTALLY_OUTPUT_H

#include <stdio.h>

#include "base/buffer.h"

struct output {
	FILE *file;
	int error;		/* 0, or -errno of the first write that failed */
	struct buffer buffer;	/* what comes next */
};

void output_relieve(struct output *output);	/* writes out the buffer when that is worth it: call between lines */
void output_write(struct output *output, const void *data, size_t bytes);	/* past the empty buffer */
int output_finish(struct output *output);	/* writes the rest, flushes, frees; the outcome */

#endif
