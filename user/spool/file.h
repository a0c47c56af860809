/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch as a file of a spool. The file has a head of SPOOL_HEAD_BYTES, then the data, then nothing; all numbers are little-endian:
 *
 *	offset	bytes
 *	0	8	"ktspool" and a zero
 *	8	4	version of this format: 1
 *	12	4	how the data is compressed: enum compression
 *	16	8	number of the batch: its place in the order, and the name of the file
 *	24	8	data points in it
 *	32	8	bytes of data
 *	40	4	CRC-32 (as in zlib) of the data
 *	44	4	CRC-32 of the head up to here
 *
 * It is written as NUMBER.part, brought to the disk, and only then renamed to NUMBER.batch, whose directory is brought to the disk
 * last. So whenever the power fails there is a whole NUMBER.batch or none; one that is not whole was damaged by something else, and the
 * checksums tell. A NUMBER.part that is whole all the same missed nothing but its name.
 */
#ifndef KTALLY_SPOOL_FILE_H
#define KTALLY_SPOOL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define SPOOL_HEAD_BYTES	48
#define SPOOL_DATA_MOST		(64U << 20)	/* bytes of a batch's data */
#define SPOOL_NUMBER_MOST	(UINT64_MAX / 2)
#define SPOOL_NAME_BYTES	32

struct spool_label {
	uint64_t number, points, bytes;
	uint32_t compression;
};

/* "0123456789abcdef.batch", or .part. */
void spool_file_name(char name[SPOOL_NAME_BYTES], uint64_t number, const char *suffix);

/* -EINVAL: not the name of such a file. */
int spool_file_parse_name(const char *name, const char *suffix, uint64_t *number);

/* 0, or -errno: then there is no such file. */
int spool_file_write(int directory, const struct spool_label *label, const void *data);

/* Appends the data. -EBADMSG: damaged; else -errno. */
int spool_file_read(int directory, const char *name, struct spool_label *label, struct buffer *data);

/* The head alone, and whether the file is as long as it says. -EBADMSG: damaged; else -errno. */
int spool_file_read_label(int directory, const char *name, struct spool_label *label);

/* What file contents mean; *data points into them. -EBADMSG: damaged. */
int spool_file_decode(const void *contents, size_t bytes, struct spool_label *label, const void **data);

#endif
