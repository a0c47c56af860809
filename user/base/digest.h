/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BLAKE2b-256 (RFC 7693): whoever can choose what is hashed cannot find two that are the same, which hash_bytes() does not promise. It
 * is three times as fast as SHA-256 where the CPU has no instructions for that, and short enough to be had without another library.
 */
#ifndef KTALLY_DIGEST_H
#define KTALLY_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES	32

struct digest {
	uint64_t state[8];
	uint64_t bytes;			/* taken so far, but what waits below */
	uint8_t waiting[128];		/* a whole block is taken only once more follows: the last one is marked */
	size_t waiting_bytes;
};

void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t bytes);
void digest_add_number(struct digest *digest, uint64_t number);		/* as 8 bytes, the lowest first */
void digest_finish(struct digest *digest, uint8_t *result);

#endif
