// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as .gnu_debugdata of a good file: as they are, and as what comes out of it. */
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>

#include "../user/fake_elf.h"
#include "symbols/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct fake_symbol exported[] = {
	{ "exported", 0x10, 0x20, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
};

static void read_with(const void *packed, size_t bytes)
{
	const struct fake_elf elf = {
		.dynamic = exported, .section = ".gnu_debugdata", .section_data = packed, .section_bytes = bytes,
	};
	struct buffer whole = fake_elf(&elf);
	struct elf_source source = { .fd = -1, .memory = whole.data, .bytes = whole.bytes };
	struct file *file;
	uint64_t start;

	if (file_read(&file, &source, "/bin/x", -1, 1 << 20) || file->bytes > (2 << 20) ||
	    !table_find(&file->table, FAKE_TEXT_ADDRESS + 0x10, &start))
		abort();
	file_free(file);
	buffer_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t packed[128 << 10];
	size_t packed_bytes = 0;

	if (!bytes)
		return 0;
	read_with(data, bytes);
	if (lzma_easy_buffer_encode(0, LZMA_CHECK_NONE, NULL, data, bytes, packed, &packed_bytes, sizeof(packed)) == LZMA_OK)
		read_with(packed, packed_bytes);
	return 0;
}
