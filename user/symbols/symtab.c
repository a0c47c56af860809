// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two passes, so that neither table need be in memory: the symbols go by in chunks and leave sixteen bytes each for
 * those that are functions, then the strings go by in chunks and those get their names, in the order in which the names
 * lie in the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/symtab.h"
#include "symbols/window.h"

#define CHUNK_BYTES		65536
#define NAME_BYTES_MOST		4096
#define SYMBOLS_LOOKED_AT	(16U << 20)
#define STRINGS_BYTES_MOST	(512U << 20)
#define NAMES_BYTES_MOST	(128U << 20)	/* looked at: symbols may share names, and so have more than the file is long */
#define LABEL_BYTES_MOST	4096	/* reach of what has no size in a stripped file: its neighbours are unknown */

struct reference {
	uint32_t start, bytes, name;	/* start: from the draft's base */
	uint16_t section, rank;
};

struct references {
	struct reference *list;
	size_t count, capacity;
};

/* Both classes' symbols, in the fields of the wider one. */
static Elf64_Sym symbol_at(const struct elf *elf, const char *chunk, size_t index)
{
	Elf64_Sym symbol64;
	Elf32_Sym symbol32;

	if (elf->is64) {
		memcpy(&symbol64, chunk + index * sizeof(symbol64), sizeof(symbol64));
		return symbol64;
	}
	memcpy(&symbol32, chunk + index * sizeof(symbol32), sizeof(symbol32));
	return (Elf64_Sym){
		.st_name = symbol32.st_name, .st_info = symbol32.st_info, .st_shndx = symbol32.st_shndx,
		.st_value = symbol32.st_value, .st_size = symbol32.st_size,
	};
}

static bool is_code(const struct elf *elf, const Elf64_Sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);
	const struct elf_section *section;

	if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) || !symbol->st_name)
		return false;
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= elf->section_count)
		return false;
	section = &elf->sections[symbol->st_shndx];
	return (section->flags & SHF_EXECINSTR) && symbol->st_value >= section->address &&
	       symbol->st_value - section->address < section->bytes;
}

static void refer(struct references *references, const Elf64_Sym *symbol, struct draft *draft)
{
	unsigned int binding = ELF64_ST_BIND(symbol->st_info);
	unsigned int rank = 0;

	if (symbol->st_value < draft->base || symbol->st_value - draft->base > UINT32_MAX)
		return;
	if ((references->count + 1) * sizeof(*references->list) > draft->most_bytes) {
		draft->overflow = true;
		return;
	}
	if (references->count == references->capacity) {
		references->capacity = references->capacity ? references->capacity * 2 : 256;
		references->list = memory_resized(references->list, references->capacity, sizeof(*references->list));
	}
	if (ELF64_ST_TYPE(symbol->st_info) != STT_NOTYPE)
		rank |= SYMBOL_TYPED;
	if (binding != STB_LOCAL)
		rank |= SYMBOL_PUBLIC;
	if (binding != STB_LOCAL && binding != STB_WEAK)
		rank |= SYMBOL_STRONG;
	references->list[references->count++] = (struct reference){
		.start = (uint32_t)(symbol->st_value - draft->base),
		.bytes = symbol->st_size < UINT32_MAX ? (uint32_t)symbol->st_size : UINT32_MAX,
		.name = symbol->st_name,
		.section = symbol->st_shndx,
		.rank = (uint16_t)rank,
	};
}

static void collect(const struct elf *elf, const struct elf_section *symbols, bool public_only, struct draft *draft,
		    struct references *references)
{
	size_t symbol_bytes = elf->is64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	size_t per_chunk = CHUNK_BYTES / symbol_bytes;
	uint64_t count = symbols->bytes / symbol_bytes;
	char *chunk;

	if (symbols->entry_bytes != symbol_bytes)
		return;
	if (count > SYMBOLS_LOOKED_AT) {
		count = SYMBOLS_LOOKED_AT;
		draft->overflow = true;
	}
	chunk = memory_zeroed(per_chunk, symbol_bytes);
	for (uint64_t first = 0; first < count; first += per_chunk) {
		size_t here = count - first < per_chunk ? (size_t)(count - first) : per_chunk;
		uint64_t offset;

		if (__builtin_add_overflow(symbols->offset, first * symbol_bytes, &offset) ||
		    elf_read(elf, offset, chunk, here * symbol_bytes))
			break;
		for (size_t i = 0; i < here; i++) {
			Elf64_Sym symbol = symbol_at(elf, chunk, i);

			if (is_code(elf, &symbol) && !(public_only && ELF64_ST_BIND(symbol.st_info) == STB_LOCAL))
				refer(references, &symbol, draft);
		}
	}
	free(chunk);
}

static int by_name(const void *a, const void *b)
{
	const struct reference *one = a, *other = b;

	return one->name < other->name ? -1 : one->name > other->name;
}

/* The string at a place in the section, without what follows an "@" (the version). NULL if it cannot be read. */
static const char *string_at(struct window *window, uint64_t at, size_t *bytes)
{
	const char *string, *version;

	*bytes = NAME_BYTES_MOST;
	string = window_at(window, at, bytes);
	if (!string)
		return NULL;
	*bytes = strnlen(string, *bytes);
	version = *bytes ? memchr(string + 1, '@', *bytes - 1) : NULL;
	if (version)
		*bytes = (size_t)(version - string);
	return string;
}

static bool is_rust(const char *name, size_t bytes)
{
	return memmem(name, bytes, "rust_begin_unwind", 17) || memmem(name, bytes, "rust_eh_personality", 19);
}

static void name_all(const struct elf *elf, const struct elf_section *strings, const struct references *references,
		     bool stripped, struct draft *draft, bool *rust)
{
	uint64_t left = NAMES_BYTES_MOST;
	struct window window;

	window_open(&window, elf, strings->offset, strings->bytes < STRINGS_BYTES_MOST ? strings->bytes : STRINGS_BYTES_MOST);
	for (size_t i = 0; i < references->count && !draft->overflow; i++) {
		const struct reference *reference = &references->list[i];
		const struct elf_section *section = &elf->sections[reference->section];
		struct symbol symbol = {
			.start = draft->base + reference->start,
			.bytes = reference->bytes,
			.rank = reference->rank,
		};
		const char *name;
		size_t bytes;

		name = string_at(&window, reference->name, &bytes);
		if (name && bytes > left) {
			draft->overflow = true;
			break;
		}
		left -= name ? bytes : 0;
		if (!name || !bytes || (!(reference->rank & SYMBOL_PUBLIC) && name[0] == '.'))
			continue;	/* ".L1": labels within functions */
		symbol.end = section->address + section->bytes;
		if (symbol.end < symbol.start)
			symbol.end = UINT64_MAX;
		if (!symbol.bytes && stripped && symbol.end - symbol.start > LABEL_BYTES_MOST)
			symbol.end = symbol.start + LABEL_BYTES_MOST;
		if (!*rust)
			*rust = is_rust(name, bytes);
		draft_add(draft, &symbol, name, bytes);
	}
	window_close(&window);
}

void symtab_read(const struct elf *elf, uint32_t type, bool public_only, struct draft *draft, bool *rust)
{
	const struct elf_section *symbols = elf_find_section_type(elf, type);
	struct references references = { 0 };

	if (!symbols || symbols->link >= elf->section_count || elf->sections[symbols->link].type != SHT_STRTAB)
		return;
	collect(elf, symbols, public_only, draft, &references);
	if (references.count)
		qsort(references.list, references.count, sizeof(*references.list), by_name);
	name_all(elf, &elf->sections[symbols->link], &references, type == SHT_DYNSYM, draft, rust);
	free(references.list);
}
