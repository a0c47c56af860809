// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as an ELF file with DWARF. libdw itself is not instrumented; what it returns is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct elf_source source = { .fd = memfd_create("fuzz", MFD_CLOEXEC), .bytes = bytes };
	struct line list[LINES_MOST];
	struct lines *lines;

	if (source.fd < 0 || write(source.fd, data, bytes) != (ssize_t)bytes)
		abort();
	if (!lines_open(&lines, &source, "/bin/x", -1)) {
		for (uint64_t address = 0x200; address < 0x400; address += 8) {
			size_t count = lines_find(lines, address, list);

			if (count > LINES_MOST)
				abort();
			for (size_t i = 0; i < count; i++)
				if ((list[i].function && !strlen(list[i].function) && list[i].line > INT32_MAX) ||
				    (list[i].file && strlen(list[i].file) > bytes * 2 + 4096))
					abort();
		}
		lines_close(lines);
	}
	close(source.fd);
	return 0;
}
