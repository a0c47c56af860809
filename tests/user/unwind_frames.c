// SPDX-License-Identifier: GPL-2.0-or-later
/* unwind/unwind.h: which functions count, where they are, and in which section, packed or not, or without sections. */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "fake_frames.h"
#include "unwind/index.h"

#define ABSOLUTE	0x00

/* Of the encoding given, version 1. CFA = rsp + 8, return address at CFA - 8. */
static uint32_t put_cie(struct buffer *section, uint8_t encoding, bool debug)
{
	const uint8_t cie[] = { 1, 'z', 'R', 0, 1, 0x78, 16, 1, encoding, 0x0c, 7, 8, 0x90, 1 };
	struct buffer body = { 0 };
	uint32_t at = (uint32_t)section->bytes;

	buffer_append(&body, cie, sizeof(cie));
	put_entry(section, debug ? UINT32_MAX : 0, &body);
	buffer_free(&body);
	return at;
}

/* A function whose CFA is rsp + offset. Its address as encoded, in so many bytes; what it is relative to: the caller's. */
static void put_function(struct buffer *section, uint32_t cie, bool debug, uint64_t address, uint64_t length,
			 unsigned int width, uint8_t offset)
{
	const uint8_t code[] = { 0, 0x0e, offset };
	struct buffer body = { 0 };

	put_number(&body, address, width);
	put_number(&body, length, width);
	buffer_append(&body, code, sizeof(code));
	put_entry(section, debug ? cie : (uint32_t)section->bytes + 4 - cie, &body);
	buffer_free(&body);
}

static void encodings(void)
{
	static const struct {
		const char *name;
		uint8_t encoding;
		unsigned int width;
	} list[] = {
		{ "absolute", 0x00, 8 }, { "udata4", 0x03, 4 }, { "sdata4", 0x0b, 4 }, { "udata8", 0x04, 8 },
		{ "sdata8", 0x0c, 8 }, { "pcrel", 0x10, 8 }, { "pcrel udata4", 0x13, 4 }, { "pcrel sdata4", 0x1b, 4 },
		{ "pcrel sdata8", 0x1c, 8 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct buffer section = { 0 };
		uint32_t cie = put_cie(&section, list[i].encoding, false);
		uint64_t here = section.bytes + 8;	/* where the address is written; the section is at address 0 */
		struct fake_table fake;

		put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x100 - (list[i].encoding & 0x10 ? here : 0), 0x20,
			     list[i].width, 16);
		fake = read_fake_section(".eh_frame", &section);
		check_string(fake_rule(&fake, 0x100), "rsp+16", "%s: from the function's beginning", list[i].name);
		check_string(fake_rule(&fake, 0xff), "none", "%s: not before", list[i].name);
		check_string(fake_rule(&fake, 0x11f), "rsp+16", "%s: to its end", list[i].name);
		check_string(fake_rule(&fake, 0x120), "none", "%s: not after", list[i].name);
		free_fake(&fake);
		buffer_free(&section);
	}
}

/* Aligned, and numbers of variable length: whatever they are relative to does not matter. */
static void odd_encodings(void)
{
	static const uint8_t uleb[] = { 0x80, 0xe2, 0x80, 0x02, 0x20, 0, 0x0e, 16 };	/* 0x403100, 0x20 */
	struct buffer section = { 0 }, body = { 0 };
	uint32_t cie = put_cie(&section, 0x01, false);
	struct fake_table fake;

	buffer_append(&body, uleb, sizeof(uleb));
	put_entry(&section, (uint32_t)section.bytes + 4 - cie, &body);
	fake = read_fake_section(".eh_frame", &section);
	check_string(fake_rule(&fake, 0x100), "rsp+16", "uleb128");
	check_string(fake_rule(&fake, 0x120), "none", "uleb128: its length");
	free_fake(&fake);

	buffer_clear(&section);
	buffer_clear(&body);
	cie = put_cie(&section, 0x50, false);
	fake_pad(&body, -(section.bytes + 8) & 7);
	put_number(&body, FAKE_TEXT_ADDRESS + 0x100, 8);
	put_number(&body, 0x20, 8);
	buffer_append(&body, "\0\x0e\x10", 3);
	put_entry(&section, (uint32_t)section.bytes + 4 - cie, &body);
	fake = read_fake_section(".eh_frame", &section);
	check_string(fake_rule(&fake, 0x100), "rsp+16", "aligned");
	check_string(fake_rule(&fake, 0x120), "none", "aligned: its length");
	free_fake(&fake);
	buffer_free(&body);
	buffer_free(&section);
}

static void which_functions(void)
{
	struct buffer section = { 0 };
	uint32_t cie = put_cie(&section, ABSOLUTE, false);
	struct fake_table fake;

	/* In no order, with a CIE between, and an end that is none. */
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x800, 0x100, 8, 32);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x100, 0x100, 8, 16);
	put_number(&section, 0, 4);
	cie = put_cie(&section, ABSOLUTE, false);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x200, 0x100, 8, 24);
	/* One within another, and one that begins where another begins. */
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x840, 0x10, 8, 40);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x800, 0x20, 8, 48);
	/* Left out by the link editor, of no length, past the code, and half past it. */
	put_function(&section, cie, false, 0, 0x100, 8, 56);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x400, 0, 8, 56);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + FAKE_TEXT_BYTES, 0x100, 8, 56);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + FAKE_TEXT_BYTES - 16, UINT64_MAX, 8, 64);
	fake = read_fake_section(".eh_frame", &section);
	check_number(fake.error, 0, "functions: read");
	check_number(fake.statistics.functions[UNWIND_EH_FRAME], 5, "functions: so many count");
	check_string(fake_rule(&fake, 0x0ff), "none", "functions: before the first");
	check_string(fake_rule(&fake, 0x100), "rsp+16", "functions: the second in the section is the first");
	check_string(fake_rule(&fake, 0x1ff), "rsp+16", "functions: up to the next");
	check_string(fake_rule(&fake, 0x200), "rsp+24", "functions: after a zero length");
	check_string(fake_rule(&fake, 0x300), "none", "functions: a gap");
	check_string(fake_rule(&fake, 0x400), "none", "functions: of no length");
	check_string(fake_rule(&fake, 0x800), "rsp+32", "functions: the first to begin there");
	check_string(fake_rule(&fake, 0x848), "rsp+40", "functions: one within another");
	check_string(fake_rule(&fake, 0x850), "none", "functions: which ends the other");
	check_string(fake_rule(&fake, FAKE_TEXT_BYTES - 1), "rsp+64", "functions: to the end of the code");
	check_number(fake.statistics.malformed, 0, "functions: all well-formed");
	free_fake(&fake);
	buffer_free(&section);
}

/* What one says of places that are another's does not count. */
static void overlapping(void)
{
	static const uint8_t code[] = { 0, 0x0e, 32, 0x70, 0x0e, 40, 0x70, 0x0e, 48 };
	struct buffer section = { 0 }, body = { 0 };
	uint32_t cie = put_cie(&section, ABSOLUTE, false);
	struct fake_table fake;

	put_number(&body, FAKE_TEXT_ADDRESS + 0x100, 8);
	put_number(&body, 0x100, 8);
	buffer_append(&body, code, sizeof(code));
	put_entry(&section, (uint32_t)section.bytes + 4 - cie, &body);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x140, 0x10, 8, 64);
	fake = read_fake_section(".eh_frame", &section);
	check_number(fake.error, 0, "overlapping: read");
	check_string(fake_rule(&fake, 0x12f), "rsp+32", "overlapping: first row");
	check_string(fake_rule(&fake, 0x13f), "rsp+40", "overlapping: second row");
	check_string(fake_rule(&fake, 0x140), "rsp+64", "overlapping: the other");
	check_string(fake_rule(&fake, 0x160), "none", "overlapping: after it");
	free_fake(&fake);
	buffer_free(&body);
	buffer_free(&section);
}

/* In a file whose code is at address 0, functions that were left out lie in it. */
static void code_at_zero(void)
{
	struct buffer section = { 0 }, file;
	uint32_t cie = put_cie(&section, 0x1b, false);
	struct fake_table fake;
	uint64_t start;
	uint32_t length;
	struct elf elf = { .segments = { { .offset = 0x1000, .address = 0, .file_bytes = 0x1000, .executable = true } },
			   .segment_count = 1 };

	put_function(&section, cie, false, 0, 0x10, 4, 16);
	put_function(&section, cie, false, 0x100 - section.bytes - 8, 0x10, 4, 24);
	put_function(&section, cie, false, -section.bytes - 8, 0x10, 4, 32);
	file = fake_elf(&(struct fake_elf){ .section = ".eh_frame", .section_data = section.data,
					    .section_bytes = section.bytes });
	((Elf64_Phdr *)(file.data + sizeof(Elf64_Ehdr)))->p_vaddr = 0;
	fake = read_fake(&file);
	check_number(fake.statistics.functions[UNWIND_EH_FRAME], 1, "code at address 0: one function");
	check_string(fake_rule(&fake, 0x100), "rsp+24", "code at address 0: the one that is there");
	check_string(fake_rule(&fake, 0), "none", "code at address 0: none at address 0");
	free_fake(&fake);
	buffer_free(&file);
	buffer_free(&section);

	check(index_locate(&elf, 0xff0, 0x100, &start, &length) && start == 0x1ff0 && length == 0x10,
	      "a function ends where the code ends");
	check(!index_locate(&elf, 0x1000, 1, &start, &length), "nothing is right after the code");
	elf.segments[0].offset = (1ULL << 36) - 16;
	check(index_locate(&elf, 15, 1, &start, &length), "the last place in a file that a frame can name");
	check(!index_locate(&elf, 16, 1, &start, &length), "a place that no frame can name");
	elf.segments[0].executable = false;
	check(!index_locate(&elf, 15, 1, &start, &length), "data is no code");
}

/* Debug files say where .eh_frame would be, and have something else there. */
static void absent(void)
{
	struct buffer section = { 0 }, file;
	uint32_t cie = put_cie(&section, ABSOLUTE, false);
	struct fake_table fake;

	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x100, 0x10, 8, 16);
	file = fake_elf(&(struct fake_elf){ .section = ".eh_frame", .section_data = section.data,
					    .section_bytes = section.bytes, .section_type = SHT_NOBITS });
	fake = read_fake(&file);
	check_string(fake_rule(&fake, 0x100), "none", "a section that is not in the file");
	free_fake(&fake);
	buffer_free(&file);
	buffer_free(&section);
}

static void broken_entries(void)
{
	struct buffer section = { 0 };
	uint32_t cie = put_cie(&section, ABSOLUTE, false);
	struct fake_table fake;

	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x100, 0x10, 8, 16);
	put_function(&section, cie + 1, false, FAKE_TEXT_ADDRESS + 0x200, 0x10, 8, 16);	/* no CIE there */
	put_function(&section, cie - 64, false, FAKE_TEXT_ADDRESS + 0x300, 0x10, 8, 16);	/* nor there */
	put_number(&section, 8, 4);				/* a function without its address */
	put_number(&section, section.bytes - cie, 4);
	put_number(&section, 0, 4);
	put_function(&section, cie, false, FAKE_TEXT_ADDRESS + 0x400, 0x10, 8, 16);
	put_number(&section, 0x7fffffff, 4);			/* longer than the section */
	fake = read_fake_section(".eh_frame", &section);
	check_string(fake_rule(&fake, 0x100), "rsp+16", "broken entries: one before");
	check_string(fake_rule(&fake, 0x200), "none", "broken entries: no CIE");
	check_string(fake_rule(&fake, 0x300), "none", "broken entries: a CIE outside of the section");
	check_string(fake_rule(&fake, 0x400), "rsp+16", "broken entries: one after");
	check_number(fake.statistics.malformed, 3, "broken entries: counted");
	free_fake(&fake);

	/* Lengths of 64 bits. */
	buffer_clear(&section);
	cie = put_cie(&section, ABSOLUTE, false);
	put_number(&section, UINT32_MAX, 4);
	put_number(&section, 4 + 16 + 3, 8);
	put_number(&section, section.bytes - cie, 4);
	put_number(&section, FAKE_TEXT_ADDRESS + 0x100, 8);
	put_number(&section, 0x10, 8);
	buffer_append(&section, "\0\x0e\x10", 3);
	fake = read_fake_section(".eh_frame", &section);
	check_string(fake_rule(&fake, 0x100), "rsp+16", "a length of 64 bits");
	free_fake(&fake);
	buffer_free(&section);
}

/* .debug_frame, version 4 with DWARF's own CIE marks. */
static struct buffer debug_section(void)
{
	static const uint8_t cie[] = { 4, 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1 };
	struct buffer section = { 0 }, body = { 0 };

	buffer_append(&body, cie, sizeof(cie));
	put_entry(&section, UINT32_MAX, &body);
	buffer_clear(&body);
	put_number(&body, FAKE_TEXT_ADDRESS + 0x100, 8);
	put_number(&body, 0x80, 8);
	buffer_append(&body, "\x0e\x18", 2);
	for (unsigned int i = 0; i < 500; i++)
		put_number(&body, 0, 1);
	put_entry(&section, 0, &body);
	buffer_free(&body);
	return section;
}

static void debug_frames(void)
{
	struct buffer section = debug_section(), packed = { 0 };
	Elf64_Chdr header = { .ch_size = section.bytes, .ch_addralign = 8 };
	unsigned char squeezed[4096];
	uLongf bytes = sizeof(squeezed);
	struct fake_table fake = read_fake_section(".debug_frame", &section);
	struct fake_elf elf = { .section = ".debug_frame", .compressed = true };
	struct buffer file;

	check_string(fake_rule(&fake, 0x100), "rsp+24", ".debug_frame");
	check_number(fake.statistics.functions[UNWIND_DEBUG_FRAME], 1, ".debug_frame: a function");
	free_fake(&fake);

	compress(squeezed, &bytes, (const Bytef *)section.data, section.bytes);
	header.ch_type = ELFCOMPRESS_ZLIB;
	for (unsigned int broken = 0; broken < 5; broken++) {
		static const char *const how[] = { "zlib", "cut off", "more than it says", "less than it says", "unknown" };
		const char *wanted = broken ? "none" : "rsp+24";

		header.ch_size = section.bytes + (broken == 3) - (broken == 2);
		header.ch_type = broken == 4 ? 77 : ELFCOMPRESS_ZLIB;
		buffer_clear(&packed);
		buffer_append(&packed, &header, sizeof(header));
		buffer_append(&packed, squeezed, bytes - 8 * (broken == 1));
		elf.section_data = packed.data;
		elf.section_bytes = packed.bytes;
		file = fake_elf(&elf);
		fake = read_fake(&file);
		check_string(fake_rule(&fake, 0x100), wanted, "packed .debug_frame: %s", how[broken]);
		free_fake(&fake);
		buffer_free(&file);
	}

	bytes = ZSTD_compress(squeezed, sizeof(squeezed), section.data, section.bytes, 1);
	header.ch_type = 2;
	for (unsigned int broken = 0; broken < 4; broken++) {
		static const char *const how[] = { "zstd", "cut off", "more than it says", "less than it says" };
		const char *wanted = broken ? "none" : "rsp+24";

		header.ch_size = section.bytes + (broken == 3) - (broken == 2);
		buffer_clear(&packed);
		buffer_append(&packed, &header, sizeof(header));
		buffer_append(&packed, squeezed, bytes - 8 * (broken == 1));
		elf.section_data = packed.data;
		elf.section_bytes = packed.bytes;
		file = fake_elf(&elf);
		fake = read_fake(&file);
		check_string(fake_rule(&fake, 0x100), wanted, "packed .debug_frame: %s", how[broken]);
		free_fake(&fake);
		buffer_free(&file);
	}

	bytes = sizeof(squeezed);
	compress(squeezed, &bytes, (const Bytef *)section.data, section.bytes);
	buffer_clear(&packed);
	buffer_append(&packed, "ZLIB\0\0\0\0\0\0", 10);
	put_number(&packed, section.bytes >> 8, 1);
	put_number(&packed, section.bytes & 0xff, 1);
	buffer_append(&packed, squeezed, bytes);
	fake = read_fake_section(".zdebug_frame", &packed);
	check_string(fake_rule(&fake, 0x100), "rsp+24", "packed .debug_frame: as before 2015");
	free_fake(&fake);
	buffer_free(&packed);
	buffer_free(&section);
}

/* What both have is taken from .eh_frame; and only there, when it overlaps. */
static void both(void)
{
	struct buffer eh = { 0 }, debug = { 0 }, eh_file, debug_file;
	uint32_t cie = put_cie(&eh, ABSOLUTE, false);
	struct elf_source eh_source = { .fd = -1 }, debug_source = { .fd = -1 };
	struct unwind_statistics statistics;
	struct fake_table fake = { .error = 0 };
	struct elf_source *sources[] = { &eh_source, &debug_source };
	struct buffer *files[] = { &eh_file, &debug_file };
	struct elf eh_elf, debug_elf;

	put_function(&eh, cie, false, FAKE_TEXT_ADDRESS + 0x200, 0x100, 8, 16);
	cie = put_cie(&debug, ABSOLUTE, true);
	put_function(&debug, cie, true, FAKE_TEXT_ADDRESS + 0x100, 0x100, 8, 24);
	put_function(&debug, cie, true, FAKE_TEXT_ADDRESS + 0x1f0, 0x40, 8, 32);
	put_function(&debug, cie, true, FAKE_TEXT_ADDRESS + 0x2f0, 0x40, 8, 40);
	put_function(&debug, cie, true, FAKE_TEXT_ADDRESS + 0x300, 0x40, 8, 48);
	eh_file = fake_elf(&(struct fake_elf){ .section = ".eh_frame", .section_data = eh.data, .section_bytes = eh.bytes });
	debug_file = fake_elf(&(struct fake_elf){ .section = ".debug_frame", .section_data = debug.data,
						  .section_bytes = debug.bytes });
	for (size_t i = 0; i < 2; i++) {
		sources[i]->memory = files[i]->data;
		sources[i]->bytes = files[i]->bytes;
	}
	elf_open(&eh_elf, &eh_source);
	elf_open(&debug_elf, &debug_source);
	check_number(unwind_read(&fake.table, &eh_elf, &debug_elf, KTALLY_UNWIND_BYTES_MAX, &statistics), 0,
		     "with a debug file: read");
	check_string(fake_rule(&fake, 0x100), "rsp+24", "with a debug file: what only it has");
	check_string(fake_rule(&fake, 0x200), "rsp+16", "with a debug file: what .eh_frame has");
	check_string(fake_rule(&fake, 0x2f8), "rsp+16", "with a debug file: what .eh_frame has, at its end");
	check_string(fake_rule(&fake, 0x300), "rsp+48", "with a debug file: right after it");
	check_number(statistics.functions[UNWIND_EH_FRAME], 1, "with a debug file: one of .eh_frame");
	check_number(statistics.functions[UNWIND_DEBUG_FRAME], 2, "with a debug file: two of its own");
	free_fake(&fake);
	elf_close(&eh_elf);
	elf_close(&debug_elf);
	buffer_free(&eh_file);
	buffer_free(&debug_file);
	buffer_free(&eh);
	buffer_free(&debug);
}

/* No section headers at all: three program headers, code, .eh_frame_hdr, .eh_frame. */
static struct buffer bare_elf(uint8_t encoding)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(Elf64_Ehdr),
		.e_phoff = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3,
	};
	Elf64_Phdr segments[3] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = FAKE_TEXT_OFFSET, .p_vaddr = FAKE_TEXT_ADDRESS,
		  .p_filesz = FAKE_TEXT_BYTES, .p_memsz = FAKE_TEXT_BYTES },
		{ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0x2000, .p_vaddr = 0x502000, .p_filesz = 0x200,
		  .p_memsz = 0x200 },
		{ .p_type = PT_GNU_EH_FRAME, .p_flags = PF_R, .p_offset = 0x2010, .p_vaddr = 0x502010, .p_filesz = 16,
		  .p_memsz = 16 },
	};
	struct buffer file = { 0 }, frames = { 0 };
	uint32_t cie = put_cie(&frames, ABSOLUTE, false);

	put_function(&frames, cie, false, FAKE_TEXT_ADDRESS + 0x100, 0x80, 8, 16);
	put_number(&frames, 0, 4);
	put_function(&frames, cie, false, FAKE_TEXT_ADDRESS + 0x200, 0x80, 8, 16);	/* after the end: something else */
	buffer_append(&file, &header, sizeof(header));
	buffer_append(&file, segments, sizeof(segments));
	fake_pad(&file, 0x2010);
	put_number(&file, 1, 1);
	put_number(&file, encoding, 1);
	put_number(&file, 0x3b03, 2);
	put_number(&file, 0x502040 - (encoding == 0x1b ? 0x502014 : encoding == 0x3b ? 0x502010 : 0), 4);
	fake_pad(&file, 0x2040);
	buffer_append(&file, frames.data, frames.bytes);
	fake_pad(&file, 0x2200);
	buffer_free(&frames);
	return file;
}

static void without_sections(void)
{
	static const uint8_t encodings[] = { 0x1b, 0x3b, 0x03, 0xff };

	for (size_t i = 0; i < sizeof(encodings); i++) {
		struct buffer file = bare_elf(encodings[i]);
		struct fake_table fake = read_fake(&file);

		check_string(fake_rule(&fake, 0x100), encodings[i] == 0xff ? "none" : "rsp+16", "no section headers, encoding %#x",
			     encodings[i]);
		check_string(fake_rule(&fake, 0x200), "none", "no section headers, encoding %#x: ends at the end", encodings[i]);
		free_fake(&fake);
		buffer_free(&file);
	}
}

static void other_files(void)
{
	const struct fake_elf narrow = { .is32 = true }, bare = { .section = NULL };
	struct buffer file = fake_elf(&narrow);
	struct fake_table fake = read_fake(&file);

	check_number(fake.error, -ENOEXEC, "32 bits");
	buffer_free(&file);

	file = fake_elf(&bare);
	fake = read_fake(&file);
	check_number(fake.error, 0, "no unwind information: read");
	check_string(fake_rule(&fake, 0x100), "none", "no unwind information: none");
	check_number(fake.statistics.uncovered_bytes, FAKE_TEXT_BYTES, "no unwind information: nothing covered");
	free_fake(&fake);

	((Elf64_Ehdr *)file.data)->e_machine = EM_AARCH64;
	fake = read_fake(&file);
	check_number(fake.error, -ENOEXEC, "another machine");
	((Elf64_Ehdr *)file.data)->e_machine = EM_X86_64;
	((Elf64_Phdr *)(file.data + sizeof(Elf64_Ehdr)))->p_flags = PF_R;
	fake = read_fake(&file);
	check_number(fake.error, -ENODATA, "no code");
	((Elf64_Phdr *)(file.data + sizeof(Elf64_Ehdr)))->p_flags = PF_X;
	((Elf64_Phdr *)(file.data + sizeof(Elf64_Ehdr)))->p_offset = 1ULL << 36;
	fake = read_fake(&file);
	check_number(fake.error, -ENODATA, "code past the end of the file");
	buffer_free(&file);
}

int main(void)
{
	encodings();
	odd_encodings();
	which_functions();
	overlapping();
	code_at_zero();
	absent();
	broken_entries();
	debug_frames();
	both();
	without_sections();
	other_files();
	return check_end();
}
