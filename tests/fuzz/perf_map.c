// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a perf-PID.map that grows: each byte has at most one name, and the ceiling holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/jit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct jit jit = { .codes.most_bytes = 65536 };
	struct elf_source source = { .fd = -1, .memory = data };
	uint64_t start;

	if (!bytes)
		return 0;
	for (source.bytes = bytes / 3; source.bytes <= bytes; source.bytes += bytes / 3 + 1) {
		perf_map_read(&jit, &source);
		for (uint64_t address = 0; address < 64; address++) {
			const char *name = codes_find(&jit.codes, address, &start);

			if (name && (start > address || strlen(name) > 1024))
				abort();
		}
		if (codes_bytes(&jit.codes) > 2 * 65536 || jit.read_until > source.bytes)
			abort();
	}
	codes_free(&jit.codes);
	return 0;
}
