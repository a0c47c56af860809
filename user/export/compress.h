/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the body of a request is compressed. */
#ifndef KTALLY_COMPRESS_H
#define KTALLY_COMPRESS_H

#include "base/buffer.h"

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
	COMPRESSIONS,
};

/* -EINVAL: there is none of this name. NULL is gzip, which every receiver of OTLP must take. */
int compression_parse(const char *name, enum compression *compression);

const char *compression_name(enum compression compression);		/* also what Content-Encoding says, but for "none" */

/* Appends to what is in `out`. Not for COMPRESSION_NONE. */
void compress_append(struct buffer *out, enum compression compression, const void *data, size_t bytes);

/* Appends what it was. -EINVAL: it is not compressed like that; -EFBIG: more than `most` bytes. */
int decompress_append(struct buffer *out, enum compression compression, const void *data, size_t bytes, size_t most);

#endif
