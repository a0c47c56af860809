// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a file of the cache of unwind tables; and, behind its checksum, which no fuzzer finds out, as a table: one
 * that is said to be valid can be asked for any place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_elf.h"
#include "unwind/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The file that it would have to be of. */
static struct elf *subject(void)
{
	static struct elf elf;

	if (!elf.segment_count) {
		const struct fake_elf fake = { .build_id = "01234567890123456789" };
		struct buffer file = fake_elf(&fake);
		struct elf_source source = { .fd = -1, .memory = file.data, .bytes = file.bytes };

		if (elf_open(&elf, &source))
			abort();
	}
	return &elf;
}

static void as_file(const uint8_t *data, size_t bytes)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);
	struct unwind_statistics statistics;
	struct unwind_table table;

	if (fd < 0 || fchmod(fd, 0600) || write(fd, data, bytes) != (ssize_t)bytes || lseek(fd, 0, SEEK_SET))
		abort();
	if (!unwind_cache_parse(fd, subject(), NULL, &table, &statistics))
		unwind_table_free(&table);
	close(fd);
}

static void *copy(const uint8_t **data, size_t *bytes, size_t wanted)
{
	size_t here = wanted < *bytes ? wanted : *bytes;
	void *memory = calloc(1, wanted ? wanted : 1);

	memcpy(memory, *data, here);
	*data += here;
	*bytes -= here;
	return memory;
}

/* Arrays exactly as long as they say, so that the sanitizer sees one byte too many. */
static void as_table(const uint8_t *data, size_t bytes)
{
	struct unwind_table table = { .first_row = NULL };
	uint8_t counts[8] = { 0 };
	size_t here = bytes < sizeof(counts) ? bytes : sizeof(counts);

	memcpy(counts, data, here);
	data += here;
	bytes -= here;
	table.first_chunk = counts[0] | (uint32_t)counts[1] << 12;
	table.chunk_count = counts[2] & 15;
	table.row_count = counts[3] | (uint32_t)(counts[4] & 3) << 8;
	table.rule_count = counts[5];
	table.first_row = copy(&data, &bytes, (table.chunk_count + 1UL) * sizeof(*table.first_row));
	table.rules = copy(&data, &bytes, table.rule_count * sizeof(*table.rules));
	table.rows = copy(&data, &bytes, table.row_count * sizeof(*table.rows));
	if (!unwind_table_check(&table)) {
		uint64_t from = (uint64_t)table.first_chunk << 16;

		for (uint64_t at = from > 65536 ? from - 65536 : 0; at < from + ((table.chunk_count + 1ULL) << 16); at += 97)
			if (unwind_table_find(&table, at)->kind > KTALLY_UNWIND_SIGNAL)
				abort();
	}
	unwind_table_free(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	as_file(data, bytes);
	as_table(data, bytes);
	return 0;
}
