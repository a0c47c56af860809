// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the table of functions of a Go program. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../user/fake_elf.h"
#include "symbols/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const struct fake_elf elf = { .section = ".gopclntab", .section_data = data, .section_bytes = bytes };
	struct buffer whole = fake_elf(&elf);
	struct elf_source source = { .fd = -1, .memory = whole.data, .bytes = whole.bytes };
	struct file *file;
	uint64_t start;

	if (!file_read(&file, &source, "/bin/x", -1, 1 << 20)) {
		if (file->bytes > (2 << 20))
			abort();
		for (uint64_t at = 0; at < FAKE_TEXT_BYTES; at += 8) {
			const char *name = table_find(&file->table, FAKE_TEXT_ADDRESS + at, &start);

			if (name && (strlen(name) > 4095 || start > FAKE_TEXT_ADDRESS + at))
				abort();
		}
		file_free(file);
	}
	buffer_free(&whole);
	return 0;
}
