// SPDX-License-Identifier: GPL-2.0-or-later
#include <lzma.h>
#include <stdio.h>

#include "check.h"
#include "fake_elf.h"
#include "symbols/file.h"

/* More than there is room for, in .gnu_debugdata, must not take away what the file itself has. */
int main(void)
{
	static const struct fake_symbol exported[] = {
		{ "exported", 0x10, 0x20, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
	};
	static struct fake_symbol many[1001];
	static char names[1000][16];
	const struct fake_elf debug = { .symbols = many };
	struct fake_elf stripped = { .dynamic = exported, .section = ".gnu_debugdata" };
	struct elf_source source = { .fd = -1 };
	uint8_t packed[64 << 10];
	struct buffer data;
	struct file *file;
	uint64_t start;

	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "global_%u", i);
		many[i] = (struct fake_symbol){ names[i], i * 4, 4, STB_GLOBAL, STT_FUNC, false };
	}
	data = fake_elf(&debug);
	check_number(lzma_easy_buffer_encode(0, LZMA_CHECK_NONE, NULL, (uint8_t *)data.data, data.bytes, packed,
					     &stripped.section_bytes, sizeof(packed)), LZMA_OK, "packed");
	buffer_free(&data);
	stripped.section_data = packed;
	data = fake_elf(&stripped);
	source.memory = data.data;
	source.bytes = data.bytes;
	if (check_number(file_read(&file, &source, "/bin/x", -1, 10000), 0, "a thousand in .gnu_debugdata")) {
		check(table_find(&file->table, FAKE_TEXT_ADDRESS + exported[0].offset, &start), "leave the file its own");
		check(file->table.count < 1000, "and nothing else");
		file_free(file);
	}
	buffer_free(&data);
	return check_end();
}
