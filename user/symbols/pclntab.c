// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Go programs carry the names of their functions for their own tracebacks, in ".gopclntab", which stripping leaves alone.
 * A header, then tables that it gives the places of: functions by address, and for each a few words more, among them
 * where its name is. Since Go 1.18 addresses count from the beginning of the Go code ("text"), which the header tells up
 * to Go 1.25, later only the runtime's description of the module. In position-independent programs either may be a
 * relocation. See runtime/symtab.go and debug/gosym of Go.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/symtab.h"
#include "symbols/window.h"

#define MAGIC_1_16		0xfffffffaU
#define MAGIC_1_18		0xfffffff0U
#define MAGIC_1_20		0xfffffff1U

#define HEADER_WORDS		8
#define HEADER_TEXT		2		/* since 1.18 */
#define MODULE_TEXT		22		/* struct moduledata: its words before .text */
#define FUNCTIONS_MOST		(4U << 20)
#define NAME_BYTES_MOST		4096
#define CHUNK_RELOCATIONS	1024
#define RELOCATIONS_LOOKED_AT	(1U << 20)

struct pclntab {
	const struct elf_section *section;
	bool narrow;			/* since 1.18: addresses in 4 bytes, from text on */
	uint64_t count, text;
	uint64_t names, names_bytes;	/* places in the section */
	uint64_t functions;
};

struct function {
	uint32_t start, bytes, name;
};

struct functions {
	struct function *list;
	size_t count, capacity;
};

static const struct elf_section *find_section(const struct elf *elf)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *section = elf_find_section(elf, names[i]);

		if (section && section->type == SHT_PROGBITS)
			return section;
	}
	return NULL;
}

/* What the dynamic linker puts at an address of a program that lies where it is linked; 0: nothing. */
static uint64_t relocated(const struct elf *elf, uint64_t address)
{
	const struct elf_section *section = elf_find_section(elf, ".rela.dyn");
	Elf64_Rela *chunk;
	uint64_t count, found = 0;

	if (!section || section->type != SHT_RELA)
		section = elf_find_section(elf, ".rela");
	if (!section || section->type != SHT_RELA || section->entry_bytes != sizeof(*chunk))
		return 0;
	count = section->bytes / sizeof(*chunk);
	if (count > RELOCATIONS_LOOKED_AT)
		count = RELOCATIONS_LOOKED_AT;
	chunk = memory_zeroed(CHUNK_RELOCATIONS, sizeof(*chunk));
	for (uint64_t first = 0; first < count && !found; first += CHUNK_RELOCATIONS) {
		size_t here = count - first < CHUNK_RELOCATIONS ? (size_t)(count - first) : CHUNK_RELOCATIONS;
		uint64_t offset;

		if (__builtin_add_overflow(section->offset, first * sizeof(*chunk), &offset) ||
		    elf_read(elf, offset, chunk, here * sizeof(*chunk)))
			break;
		for (size_t i = 0; i < here && !found; i++)
			if (chunk[i].r_offset == address && ELF64_R_TYPE(chunk[i].r_info) == R_X86_64_RELATIVE)
				found = (uint64_t)chunk[i].r_addend;
	}
	free(chunk);
	return found;
}

static uint64_t word_of(const struct elf *elf, const struct elf_section *section, unsigned int word)
{
	uint64_t value = 0, offset, place = word * sizeof(value);

	if (section->bytes < place + sizeof(value) || __builtin_add_overflow(section->offset, place, &offset) ||
	    elf_read(elf, offset, &value, sizeof(value)))
		return 0;
	return value ? value : relocated(elf, section->address + place);
}

/* Where Go's code begins; that of C may come before. */
static uint64_t find_text(const struct elf *elf, const struct elf_section *section, uint64_t in_header)
{
	const struct elf_section *module = elf_find_section(elf, ".go.module");
	const struct elf_section *text = elf_find_section(elf, ".text");
	uint64_t address = in_header ? in_header : relocated(elf, section->address + 8 + HEADER_TEXT * sizeof(address));

	if (!address && module && word_of(elf, module, 0) == section->address)
		address = word_of(elf, module, MODULE_TEXT);
	return !address && text ? text->address : address;
}

static bool read_header(const struct elf *elf, struct pclntab *table)
{
	struct {
		uint32_t magic;
		uint8_t zero[2], instruction_bytes, pointer_bytes;
		uint64_t words[HEADER_WORDS];
	} header;
	const uint64_t *places;
	uint64_t all = table->section->bytes;

	if (all < sizeof(header) || elf_read(elf, table->section->offset, &header, sizeof(header)) ||
	    header.pointer_bytes != 8 || header.zero[0] || header.zero[1])
		return false;
	table->narrow = header.magic == MAGIC_1_18 || header.magic == MAGIC_1_20;
	if (!table->narrow && header.magic != MAGIC_1_16)
		return false;
	table->count = header.words[0];
	places = &header.words[table->narrow ? 3 : 2];	/* names, units, files, numbers, functions */
	table->names = places[0];
	table->functions = places[4];
	if (table->count > FUNCTIONS_MOST || places[0] > places[1] || places[1] > all || table->functions > all)
		return false;
	table->names_bytes = places[1] - places[0];
	table->text = table->narrow ? find_text(elf, table->section, header.words[HEADER_TEXT]) : 0;
	return true;
}

/* A word of 4 or 8 bytes at a place in the table of functions. */
static bool read_number(const struct pclntab *table, struct window *window, uint64_t at, uint64_t *number)
{
	size_t wanted = table->narrow ? 4 : 8, bytes = wanted;
	const char *data = window_at(window, at, &bytes);

	*number = 0;
	if (!data || bytes < wanted)
		return false;
	memcpy(number, data, wanted);
	return true;
}

static bool add(const struct draft *draft, struct functions *functions, uint64_t start, uint64_t end, uint32_t name)
{
	if (start < draft->base || end - draft->base > UINT32_MAX || end <= start)
		return true;
	if ((functions->count + 1) * sizeof(*functions->list) > draft->most_bytes)
		return false;
	if (functions->count == functions->capacity) {
		functions->capacity = functions->capacity ? functions->capacity * 2 : 256;
		functions->list = memory_resized(functions->list, functions->capacity, sizeof(*functions->list));
	}
	functions->list[functions->count++] = (struct function){
		.start = (uint32_t)(start - draft->base), .bytes = (uint32_t)(end - start), .name = name,
	};
	return true;
}

/* Pairs of an address and the place of the words about that function; a last address ends the last one. */
static void collect(const struct elf *elf, const struct pclntab *table, struct draft *draft,
		    struct functions *functions)
{
	uint64_t offset = table->section->offset + table->functions, bytes = table->section->bytes - table->functions;
	size_t width = table->narrow ? 4 : 8;
	struct window index, words;

	window_open(&index, elf, offset, bytes);
	window_open(&words, elf, offset, bytes);
	for (uint64_t i = 0; i < table->count; i++) {
		uint64_t start, end, place;
		size_t name_bytes = sizeof(uint32_t);
		const char *data;
		uint32_t name;

		if (!read_number(table, &index, 2 * i * width, &start) ||
		    !read_number(table, &index, (2 * i + 1) * width, &place) ||
		    !read_number(table, &index, (2 * i + 2) * width, &end))
			break;
		if (__builtin_add_overflow(place, width, &place))
			continue;
		data = window_at(&words, place, &name_bytes);
		if (!data || name_bytes < sizeof(name))
			continue;
		memcpy(&name, data, sizeof(name));
		if (__builtin_add_overflow(start, table->text, &start) || __builtin_add_overflow(end, table->text, &end))
			continue;
		if (!add(draft, functions, start, end, name)) {
			draft->overflow = true;
			break;
		}
	}
	window_close(&words);
	window_close(&index);
}

static int by_name(const void *a, const void *b)
{
	const struct function *one = a, *other = b;

	return one->name < other->name ? -1 : one->name > other->name;
}

bool pclntab_read(const struct elf *elf, struct draft *draft)
{
	struct pclntab table = { .section = find_section(elf) };
	struct functions functions = { 0 };
	struct window names;

	if (!elf->is64 || elf->machine != EM_X86_64 || !table.section || !read_header(elf, &table))
		return false;
	collect(elf, &table, draft, &functions);
	if (functions.count)
		qsort(functions.list, functions.count, sizeof(*functions.list), by_name);
	window_open(&names, elf, table.section->offset + table.names, table.names_bytes);
	for (size_t i = 0; i < functions.count; i++) {
		const struct function *function = &functions.list[i];
		const struct symbol symbol = {
			.start = draft->base + function->start,
			.bytes = function->bytes,
			.end = draft->base + function->start + function->bytes,
			.rank = SYMBOL_TYPED | SYMBOL_PUBLIC | SYMBOL_STRONG,
		};
		size_t bytes = NAME_BYTES_MOST;
		const char *name = window_at(&names, function->name, &bytes);

		if (name && *name)
			draft_add(draft, &symbol, name, strnlen(name, bytes));
	}
	window_close(&names);
	free(functions.list);
	return functions.count;
}
