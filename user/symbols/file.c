// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "symbols/debug.h"
#include "symbols/file.h"
#include "symbols/jit.h"
#include "symbols/symtab.h"

static uint64_t lowest_address(const struct elf *elf)
{
	uint64_t lowest = UINT64_MAX;

	for (size_t i = 0; i < elf->segment_count; i++)
		if (elf->segments[i].executable && elf->segments[i].address < lowest)
			lowest = elf->segments[i].address;
	return lowest;
}

/*
 * The table that the linker wrote has all functions; if it was stripped off, its copy may be elsewhere. What is left is
 * then what other files can call.
 */
static void read_symbols(const struct elf *elf, const struct elf *full, bool public_only, struct draft *draft,
			 struct file *file)
{
	bool rust = false;

	file->whole = full;
	if (full)
		symtab_read(full, SHT_SYMTAB, public_only, draft, &rust);
	else
		file->whole = pclntab_read(elf, draft);
	symtab_read(elf, SHT_DYNSYM, public_only, draft, &rust);
	plt_read(elf, draft);
	file->runtime = rust ? "rust" : NULL;
}

/*
 * All names; what others can call, where there is no room for all; and without what the linker wrote, if that is too much
 * still: a debug file that no linker made must not take away the names that the file itself has.
 */
static int read_table(const struct elf *elf, const struct elf *full, size_t most_bytes, struct file *file)
{
	const struct {
		const struct elf *full;
		bool public_only;
	} tries[] = { { full, false }, { full, true }, { NULL, true } };
	struct draft draft;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		draft_begin(&draft, lowest_address(elf), most_bytes);
		read_symbols(elf, tries[i].full, tries[i].public_only, &draft, file);
		if (!draft.overflow) {
			draft_finish(&draft, &file->table);
			return 0;
		}
		draft_drop(&draft);
	}
	return -EFBIG;
}

int file_read(struct file **result, const struct elf_source *source, const char *path, int root, size_t most_bytes)
{
	struct elf elf, debug;
	const struct elf *full = NULL;
	struct file *file;
	int error;

	error = elf_open(&elf, source);
	if (error)
		return error;
	debug.source = (struct elf_source){ .fd = -1 };
	if (elf_find_section_type(&elf, SHT_SYMTAB))
		full = &elf;
	else if (!debug_open(&elf, path, root, &debug) || !debug_unpack(&elf, &debug) || !debug_download(&elf, &debug))
		full = &debug;

	file = memory_zeroed(1, sizeof(*file));
	error = read_table(&elf, full, most_bytes, file);
	if (full == &debug) {
		if (debug.source.memory)
			free((void *)debug.source.memory);
		else
			close(debug.source.fd);
		elf_close(&debug);
	}
	if (!error) {
		file->segment_count = elf.segment_count;
		file->segments = memory_zeroed(elf.segment_count, sizeof(*file->segments));
		memcpy(file->segments, elf.segments, elf.segment_count * sizeof(*file->segments));
		memcpy(file->build_id, elf.build_id, elf.build_id_bytes);
		file->build_id_bytes = elf.build_id_bytes;
		if (elf.has_go_note || elf_find_section(&elf, ".go.buildinfo"))
			file->runtime = "go";
		file->bytes = sizeof(*file) + file->segment_count * sizeof(*file->segments) + table_bytes(&file->table);
		*result = file;
	} else {
		free(file);
	}
	elf_close(&elf);
	return error;
}

void file_free(struct file *file)
{
	table_free(&file->table);
	free(file->segments);
	jit_free(file->jit);
	free(file);
}
