/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What writer and reader of a capture agree on beyond capture.h: how bytes begin, and how long a chunk may be. The
 * writer refuses to write what the reader would refuse to read.
 */
#ifndef KTALLY_CAPTURE_FORMAT_H
#define KTALLY_CAPTURE_FORMAT_H

#include <stdint.h>

#define CAPTURE_MAGIC		"KTALLY\0\1"
#define CAPTURE_MAGIC_BYTES	8

struct capture_header {
	uint32_t type;
	uint32_t zero;
	uint64_t bytes;		/* without the padding */
};

#define CAPTURE_HOST_MOST	(1U << 20)
#define CAPTURE_RECORDS_MOST	(16U << 20)
#define CAPTURE_KALLSYMS_MOST	(64U << 20)	/* compressed */
#define CAPTURE_NAMES_MOST	(128U << 20)	/* decompressed: ten times the largest seen */
#define CAPTURE_MAPPINGS_MOST	(64U << 20)
#define CAPTURE_FILE_MOST	(128U << 20)	/* compressed */
#define CAPTURE_CONTENT_MOST	(128U << 20)	/* decompressed */
#define CAPTURE_OWNER_MOST	(64U << 10)
#define CAPTURE_ACCOUNT_MOST	(1U << 20)
#define CAPTURE_PATH_MOST	65536U
#define CAPTURE_WINDOW_BITS	23		/* of what decompressing takes in memory */

#endif
