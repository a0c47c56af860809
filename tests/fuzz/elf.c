// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as an ELF file: its symbols, stubs and packed debug file, and every name that comes of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct elf_source source = { .fd = -1, .memory = data, .bytes = bytes };
	struct file *file;
	uint64_t address, start;

	if (!bytes || file_read(&file, &source, "/bin/x", -1, 1 << 20))
		return 0;
	if (file->bytes > (2 << 20))
		abort();
	for (size_t i = 0; i < file->table.count; i++) {
		const char *name = table_find(&file->table, file->table.base + file->table.entries[i].start, &start);

		if (name && strlen(name) > 4095)
			abort();
	}
	for (uint64_t offset = 0; offset < bytes; offset += 511)
		if (elf_address_of(file->segments, file->segment_count, offset, &address))
			table_find(&file->table, address, &start);
	file_free(file);
	return 0;
}
