/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a file that grows, of code that was compiled just in time: each byte has at most one name, and the ceiling holds. */
#ifndef KTALLY_FUZZ_JIT_H
#define KTALLY_FUZZ_JIT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/jit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void read_growing(const uint8_t *data, size_t bytes, void (*read)(struct jit *jit, const struct elf_source *source))
{
	struct jit jit = { .codes.most_bytes = 65536 };
	struct elf_source source = { .fd = -1, .memory = data };
	uint64_t start;

	for (source.bytes = bytes / 3; bytes && source.bytes <= bytes; source.bytes += bytes / 3 + 1) {
		read(&jit, &source);
		for (uint64_t address = 0; address < 64; address++) {
			const char *name = codes_find(&jit.codes, address, &start);

			if (name && (start > address || strlen(name) > 1024))
				abort();
		}
		if (codes_bytes(&jit.codes) > 2 * 65536 || jit.read_until > source.bytes)
			abort();
	}
	codes_free(&jit.codes);
	map_free(&jit.loads);
}

#endif
