/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF files made by hand, for the tests of what reads them. The code is at FAKE_TEXT_OFFSET in the file and linked at
 * FAKE_TEXT_ADDRESS, so that nobody can mistake one for the other.
 */
#ifndef KTALLY_FAKE_ELF_H
#define KTALLY_FAKE_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

#define FAKE_TEXT_OFFSET	0x1000
#define FAKE_TEXT_ADDRESS	0x403000
#define FAKE_TEXT_BYTES		0x1000
#define FAKE_CODE		0x100

struct fake_symbol {
	const char *name;
	uint32_t offset, bytes;		/* from the beginning of the code */
	unsigned char binding, type;
	bool elsewhere;			/* not in the code: undefined */
};

struct fake_elf {
	bool is32;
	const struct fake_symbol *symbols, *dynamic;	/* up to one without a name; NULL: no such table */
	const char *build_id;				/* 20 bytes, NULL: none */
	const char *link;				/* .gnu_debuglink, with checksum; NULL: none */
	uint32_t checksum;
	const char *section;				/* another section with these contents, NULL: none */
	const void *section_data;
	size_t section_bytes;
	bool compressed;				/* that section says it is */
	uint32_t section_type;				/* 0: SHT_PROGBITS */
	uint64_t section_address;
	const void *code;				/* at FAKE_CODE in the code, NULL: like all of it, returns */
	size_t code_bytes;
};

struct fake_layout {
	struct buffer file, names;
	Elf64_Shdr sections[16];
	unsigned int count;
	bool is32;
};

static inline void fake_pad(struct buffer *buffer, size_t to)
{
	while (buffer->bytes < to)
		buffer_append(buffer, "", 1);
}

static inline unsigned int fake_section(struct fake_layout *layout, const char *name, Elf64_Shdr header,
					const void *data, size_t bytes)
{
	fake_pad(&layout->file, (layout->file.bytes + 7) & ~7UL);
	header.sh_name = (uint32_t)layout->names.bytes;
	header.sh_offset = layout->file.bytes;
	header.sh_size = bytes;
	buffer_append(&layout->names, name, strlen(name) + 1);
	buffer_append(&layout->file, data, bytes);
	layout->sections[layout->count] = header;
	return layout->count++;
}

static inline void fake_symbols(struct fake_layout *layout, uint32_t type, const char *name, const char *strings_name,
				const struct fake_symbol *list)
{
	struct buffer symbols = { 0 }, strings = { 0 };
	Elf64_Sym none = { 0 };

	buffer_append(&strings, "", 1);
	buffer_append(&symbols, &none, layout->is32 ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym));
	for (; list->name; list++) {
		Elf64_Sym symbol = {
			.st_name = (uint32_t)strings.bytes,
			.st_info = ELF64_ST_INFO(list->binding, list->type),
			.st_shndx = list->elsewhere ? SHN_UNDEF : 1,
			.st_value = FAKE_TEXT_ADDRESS + list->offset,
			.st_size = list->bytes,
		};
		Elf32_Sym narrow = {
			.st_name = symbol.st_name, .st_info = symbol.st_info, .st_shndx = symbol.st_shndx,
			.st_value = (uint32_t)symbol.st_value, .st_size = (uint32_t)symbol.st_size,
		};

		buffer_append(&strings, list->name, strlen(list->name) + 1);
		if (layout->is32)
			buffer_append(&symbols, &narrow, sizeof(narrow));
		else
			buffer_append(&symbols, &symbol, sizeof(symbol));
	}
	fake_section(layout, name, (Elf64_Shdr){ .sh_type = type, .sh_link = layout->count + 1,
		     .sh_entsize = layout->is32 ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym) }, symbols.data, symbols.bytes);
	fake_section(layout, strings_name, (Elf64_Shdr){ .sh_type = SHT_STRTAB }, strings.data, strings.bytes);
	buffer_free(&symbols);
	buffer_free(&strings);
}

static inline void fake_headers(struct fake_layout *layout, uint64_t sections_offset)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(Elf64_Ehdr),
		.e_phoff = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
		.e_shoff = sections_offset, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = (uint16_t)layout->count,
		.e_shstrndx = (uint16_t)(layout->count - 1),
	};
	Elf64_Phdr segment = {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = FAKE_TEXT_OFFSET, .p_vaddr = FAKE_TEXT_ADDRESS,
		.p_filesz = FAKE_TEXT_BYTES, .p_memsz = FAKE_TEXT_BYTES,
	};
	Elf32_Ehdr header32 = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_386, .e_version = EV_CURRENT, .e_ehsize = sizeof(Elf32_Ehdr),
		.e_phoff = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1,
		.e_shoff = (uint32_t)sections_offset, .e_shentsize = sizeof(Elf32_Shdr), .e_shnum = header.e_shnum,
		.e_shstrndx = header.e_shstrndx,
	};
	Elf32_Phdr segment32 = {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = FAKE_TEXT_OFFSET, .p_vaddr = FAKE_TEXT_ADDRESS,
		.p_filesz = FAKE_TEXT_BYTES, .p_memsz = FAKE_TEXT_BYTES,
	};

	if (layout->is32) {
		memcpy(layout->file.data, &header32, sizeof(header32));
		memcpy(layout->file.data + sizeof(header32), &segment32, sizeof(segment32));
	} else {
		memcpy(layout->file.data, &header, sizeof(header));
		memcpy(layout->file.data + sizeof(header), &segment, sizeof(segment));
	}
}

/* The bytes of the file; buffer_free() them. */
static inline struct buffer fake_elf(const struct fake_elf *elf)
{
	struct fake_layout layout = { .is32 = elf->is32 };
	char code[FAKE_TEXT_BYTES];
	uint64_t offset;

	memset(code, 0xc3, sizeof(code));
	if (elf->code)
		memcpy(code + FAKE_CODE, elf->code, elf->code_bytes);
	fake_pad(&layout.file, FAKE_TEXT_OFFSET);
	buffer_append(&layout.names, "", 1);
	layout.count = 1;
	fake_section(&layout, ".text", (Elf64_Shdr){ .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		     .sh_addr = FAKE_TEXT_ADDRESS }, code, sizeof(code));
	if (elf->symbols)
		fake_symbols(&layout, SHT_SYMTAB, ".symtab", ".strtab", elf->symbols);
	if (elf->dynamic)
		fake_symbols(&layout, SHT_DYNSYM, ".dynsym", ".dynstr", elf->dynamic);
	if (elf->build_id) {
		char note[36] = "\4\0\0\0\24\0\0\0\3\0\0\0GNU";

		memcpy(note + 16, elf->build_id, 20);
		fake_section(&layout, ".note.gnu.build-id", (Elf64_Shdr){ .sh_type = SHT_NOTE }, note, sizeof(note));
	}
	if (elf->link) {
		char link[256] = "";
		size_t bytes = (strlen(elf->link) + 4) & ~3UL;

		strcpy(link, elf->link);
		memcpy(link + bytes, &elf->checksum, 4);
		fake_section(&layout, ".gnu_debuglink", (Elf64_Shdr){ .sh_type = SHT_PROGBITS }, link, bytes + 4);
	}
	if (elf->section)
		fake_section(&layout, elf->section, (Elf64_Shdr){
			     .sh_type = elf->section_type ? elf->section_type : SHT_PROGBITS,
			     .sh_addr = elf->section_address,
			     .sh_flags = elf->compressed ? SHF_COMPRESSED : 0 }, elf->section_data, elf->section_bytes);
	buffer_append(&layout.names, ".shstrtab", 10);
	fake_section(&layout, "", (Elf64_Shdr){ .sh_type = SHT_STRTAB }, layout.names.data, layout.names.bytes);
	fake_pad(&layout.file, (layout.file.bytes + 7) & ~7UL);
	offset = layout.file.bytes;
	for (unsigned int i = 0; i < layout.count; i++) {
		const Elf64_Shdr *wide = &layout.sections[i];
		Elf32_Shdr narrow = {
			.sh_name = wide->sh_name,
			.sh_type = wide->sh_type,
			.sh_flags = (uint32_t)wide->sh_flags,
			.sh_addr = (uint32_t)wide->sh_addr,
			.sh_offset = (uint32_t)wide->sh_offset,
			.sh_size = (uint32_t)wide->sh_size,
			.sh_link = wide->sh_link,
			.sh_entsize = (uint32_t)wide->sh_entsize,
		};

		if (elf->is32)
			buffer_append(&layout.file, &narrow, sizeof(narrow));
		else
			buffer_append(&layout.file, wide, sizeof(*wide));
	}
	fake_headers(&layout, offset);
	buffer_free(&layout.names);
	return layout.file;
}

#endif
