// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/message.h"
#include "export/compress.h"

static const char *const names[COMPRESSIONS] = {
	[COMPRESSION_NONE] = "none",
	[COMPRESSION_GZIP] = "gzip",
	[COMPRESSION_ZSTD] = "zstd",
};

int compression_parse(const char *name, enum compression *compression)
{
	if (!name)
		name = names[COMPRESSION_GZIP];
	for (unsigned int i = 0; i < COMPRESSIONS; i++) {
		if (!strcmp(name, names[i])) {
			*compression = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *compression_name(enum compression compression)
{
	return names[compression];
}

/* Room for so many bytes more, which are not there yet. */
static char *room(struct buffer *out, size_t bytes)
{
	if (out->bytes + bytes + 1 > out->capacity) {
		out->capacity = out->bytes + bytes + 1;
		out->data = memory_resized(out->data, out->capacity, 1);
	}
	return out->data + out->bytes;
}

static void taken(struct buffer *out, size_t bytes)
{
	out->bytes += bytes;
	out->data[out->bytes] = '\0';
}

static void gzip(struct buffer *out, const void *data, size_t bytes)
{
	z_stream stream = { .next_in = (void *)data, .avail_in = (uInt)bytes };
	size_t most;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		message_fatal(EXIT_FAILED, "out of memory");
	most = deflateBound(&stream, bytes);
	stream.next_out = (void *)room(out, most);
	stream.avail_out = (uInt)most;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		message_fatal(EXIT_FAILED, "zlib cannot compress %zu bytes: is it another version?", bytes);
	taken(out, stream.total_out);
	deflateEnd(&stream);
}

static void zstd(struct buffer *out, const void *data, size_t bytes)
{
	size_t most = ZSTD_compressBound(bytes);
	size_t result = ZSTD_compress(room(out, most), most, data, bytes, ZSTD_CLEVEL_DEFAULT);

	if (ZSTD_isError(result))
		message_fatal(EXIT_FAILED, "zstd cannot compress %zu bytes: %s", bytes, ZSTD_getErrorName(result));
	taken(out, result);
}

void compress_append(struct buffer *out, enum compression compression, const void *data, size_t bytes)
{
	if (compression == COMPRESSION_ZSTD)
		zstd(out, data, bytes);
	else
		gzip(out, data, bytes);
}

static int gunzip(struct buffer *out, const void *data, size_t bytes, size_t most)
{
	z_stream stream = { .next_in = (void *)data, .avail_in = (uInt)bytes };
	char piece[16384];
	int result;

	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		message_fatal(EXIT_FAILED, "out of memory");
	do {
		stream.next_out = (void *)piece;
		stream.avail_out = sizeof(piece);
		result = inflate(&stream, Z_NO_FLUSH);
		buffer_append(out, piece, sizeof(piece) - stream.avail_out);
	} while (result == Z_OK && stream.total_out <= most);
	inflateEnd(&stream);
	if (stream.total_out > most)
		return -EFBIG;
	return result == Z_STREAM_END ? 0 : -EINVAL;
}

static int unzstd(struct buffer *out, const void *data, size_t bytes, size_t most)
{
	unsigned long long size = ZSTD_getFrameContentSize(data, bytes);

	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
		return -EINVAL;
	if (size > most)
		return -EFBIG;
	if (ZSTD_decompress(room(out, size), size, data, bytes) != size)
		return -EINVAL;
	taken(out, size);
	return 0;
}

int decompress_append(struct buffer *out, enum compression compression, const void *data, size_t bytes, size_t most)
{
	switch (compression) {
	case COMPRESSION_GZIP:
		return gunzip(out, data, bytes, most);
	case COMPRESSION_ZSTD:
		return unzstd(out, data, bytes, most);
	default:
		if (bytes > most)
			return -EFBIG;
		buffer_append(out, data, bytes);
		return 0;
	}
}
