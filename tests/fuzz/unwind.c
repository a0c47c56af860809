// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as an ELF file: its unwind table is valid whatever they are, and no larger than allowed. */
#include <stdint.h>
#include <stdlib.h>

#include "unwind/unwind.h"

#define TABLE_BYTES_MOST	(4U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct elf_source source = { .fd = -1, .memory = data, .bytes = bytes };
	struct unwind_statistics statistics;
	struct unwind_table table;
	struct elf elf;

	if (!bytes || elf_open(&elf, &source))
		return 0;
	/* As its own debug file, too: whatever is in there is read as both. */
	if (!unwind_read(&table, &elf, &elf, TABLE_BYTES_MOST, &statistics)) {
		if (unwind_table_check(&table) || statistics.uncovered_bytes > statistics.code_bytes ||
		    table.row_count * sizeof(*table.rows) > TABLE_BYTES_MOST)
			abort();
		for (uint64_t offset = 0; offset < bytes + 65536; offset += 61)
			if (unwind_table_find(&table, offset)->kind > KTALLY_UNWIND_SIGNAL)
				abort();
		unwind_table_free(&table);
	}
	elf_close(&elf);
	return 0;
}
