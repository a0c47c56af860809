// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a file of a spool. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "spool/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Checksums keep a fuzzer out: with them put right, as an accomplice would. */
static void put_right(uint8_t *file, size_t bytes)
{
	uint32_t checksum;

	if (bytes < SPOOL_HEAD_BYTES)
		return;
	checksum = (uint32_t)crc32(0, file + SPOOL_HEAD_BYTES, (uInt)(bytes - SPOOL_HEAD_BYTES));
	memcpy(file + 40, &checksum, 4);
	checksum = (uint32_t)crc32(0, file, 44);
	memcpy(file + 44, &checksum, 4);
}

static void decode(const uint8_t *file, size_t bytes)
{
	struct spool_label label;
	const void *found = NULL;

	if (spool_file_decode(file, bytes, &label, &found))
		return;
	if (label.bytes != bytes - SPOOL_HEAD_BYTES || found != file + SPOOL_HEAD_BYTES || label.number > SPOOL_NUMBER_MOST)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	char *name = malloc(bytes + 1);
	uint64_t number;

	memcpy(copy, data, bytes);
	decode(copy, bytes);
	put_right(copy, bytes);
	decode(copy, bytes);
	memcpy(name, data, bytes);
	name[bytes] = '\0';
	if (!spool_file_parse_name(name, "batch", &number) && (strlen(name) != 22 || number > SPOOL_NUMBER_MOST))
		abort();
	free(name);
	free(copy);
	return 0;
}
