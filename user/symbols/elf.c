// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every number in the file is taken as an attempt to get out of it: all are checked against its size before they are
 * used.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "symbols/elf.h"
#include "symbols/reads.h"

#define SECTIONS_MOST		4096
#define SECTION_NAMES_MOST	(256U << 10)
#define SEGMENTS_LOOKED_AT	512
#define NOTE_BYTES_MOST		4096

#ifndef PT_GNU_SFRAME
#define PT_GNU_SFRAME		0x6474e554	/* newer than glibc 2.36 */
#endif

static int read_file(int fd, uint64_t offset, char *to, size_t bytes)
{
	while (bytes) {
		ssize_t got = pread(fd, to, bytes, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -EBADMSG;
		to += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}

int elf_read(const struct elf *elf, uint64_t offset, void *into, size_t bytes)
{
	const struct elf_source *source = &elf->source;
	int error;

	if (offset > source->bytes || bytes > source->bytes - offset)
		return -EBADMSG;
	if (source->memory) {
		memcpy(into, (const char *)source->memory + offset, bytes);
		return 0;
	}
	error = read_file(source->fd, offset, into, bytes);
	if (source->reads && !error)
		reads_note(source->reads, offset, into, bytes);
	else if (source->reads)
		source->reads->broken = true;
	return error;
}

/* Both classes have the same fields in another order and width. */
#define COPY_SECTION(to, from) (*(to) = (struct elf_section){						\
	.name = (from)->sh_name, .type = (from)->sh_type, .link = (from)->sh_link, .info = (from)->sh_info,	\
	.flags = (from)->sh_flags, .address = (from)->sh_addr, .offset = (from)->sh_offset,		\
	.bytes = (from)->sh_size, .entry_bytes = (from)->sh_entsize })

#define COPY_SEGMENT(to, from) (*(to) = (struct elf_segment){						\
	.offset = (from)->p_offset, .address = (from)->p_vaddr, .file_bytes = (from)->p_filesz,		\
	.memory_bytes = (from)->p_memsz, .executable = (from)->p_flags & PF_X })

struct layout {
	uint64_t sections_offset, segments_offset;
	uint32_t section_count, segment_count, section_names;
};

static int read_header(struct elf *elf, struct layout *layout)
{
	unsigned char identity[EI_NIDENT];
	int error = elf_read(elf, 0, identity, sizeof(identity));

	if (error == -EBADMSG || (!error && memcmp(identity, ELFMAG, SELFMAG)))
		return -ENOEXEC;
	if (error)
		return error;
	if (identity[EI_DATA] != ELFDATA2LSB || (identity[EI_CLASS] != ELFCLASS64 && identity[EI_CLASS] != ELFCLASS32))
		return -ENOEXEC;
	elf->is64 = identity[EI_CLASS] == ELFCLASS64;
	if (elf->is64) {
		Elf64_Ehdr header;

		error = elf_read(elf, 0, &header, sizeof(header));
		if (error)
			return error;
		if ((header.e_shnum && header.e_shentsize != sizeof(Elf64_Shdr)) ||
		    (header.e_phnum && header.e_phentsize != sizeof(Elf64_Phdr)))
			return -EBADMSG;
		elf->type = header.e_type;
		elf->machine = header.e_machine;
		elf->entry = header.e_entry;
		*layout = (struct layout){ header.e_shoff, header.e_phoff, header.e_shnum, header.e_phnum,
					   header.e_shstrndx };
	} else {
		Elf32_Ehdr header;

		error = elf_read(elf, 0, &header, sizeof(header));
		if (error)
			return error;
		if ((header.e_shnum && header.e_shentsize != sizeof(Elf32_Shdr)) ||
		    (header.e_phnum && header.e_phentsize != sizeof(Elf32_Phdr)))
			return -EBADMSG;
		elf->type = header.e_type;
		elf->machine = header.e_machine;
		elf->entry = header.e_entry;
		*layout = (struct layout){ header.e_shoff, header.e_phoff, header.e_shnum, header.e_phnum,
					   header.e_shstrndx };
	}
	return elf->source.any_type || elf->type == ET_EXEC || elf->type == ET_DYN ? 0 : -ENOEXEC;
}

static int read_section(const struct elf *elf, uint64_t offset, struct elf_section *section)
{
	Elf64_Shdr header64;
	Elf32_Shdr header32;
	int error;

	if (elf->is64) {
		error = elf_read(elf, offset, &header64, sizeof(header64));
		if (!error)
			COPY_SECTION(section, &header64);
	} else {
		error = elf_read(elf, offset, &header32, sizeof(header32));
		if (!error)
			COPY_SECTION(section, &header32);
	}
	return error;
}

/* A file without section headers, or with broken ones, is still one that runs: then it merely has no symbol tables. */
static void read_sections(struct elf *elf, const struct layout *layout)
{
	size_t header_bytes = elf->is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	const struct elf_section *names;

	if (!layout->section_count || layout->section_count > SECTIONS_MOST ||
	    layout->sections_offset > elf->source.bytes ||
	    layout->section_count * header_bytes > elf->source.bytes - layout->sections_offset)
		return;
	elf->sections = memory_zeroed(layout->section_count, sizeof(*elf->sections));
	for (uint32_t i = 0; i < layout->section_count; i++)
		if (read_section(elf, layout->sections_offset + i * header_bytes, &elf->sections[i]))
			return;
	elf->section_count = layout->section_count;
	if (layout->section_names >= elf->section_count)
		return;
	names = &elf->sections[layout->section_names];
	if (names->type != SHT_STRTAB || !names->bytes || names->bytes > SECTION_NAMES_MOST)
		return;
	elf->section_names = memory_zeroed(names->bytes + 1, 1);
	if (!elf_read(elf, names->offset, elf->section_names, names->bytes))
		elf->section_names_bytes = names->bytes;
}

static void read_notes(struct elf *elf, uint64_t offset, uint64_t bytes)
{
	unsigned char notes[NOTE_BYTES_MOST];
	size_t at = 0;

	if (bytes > sizeof(notes))
		bytes = sizeof(notes);
	if (elf_read(elf, offset, notes, bytes))
		return;
	while (bytes - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;		/* the same in both classes */
		size_t name, description;

		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		if (note.n_namesz > bytes - at || note.n_descsz > bytes - at)
			return;
		name = at;
		description = name + ((note.n_namesz + 3UL) & ~3UL);
		if (description > bytes || note.n_descsz > bytes - description)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(notes + name, "GNU", 4) &&
		    note.n_descsz <= ELF_BUILD_ID_MOST && !elf->build_id_bytes) {
			memcpy(elf->build_id, notes + description, note.n_descsz);
			elf->build_id_bytes = note.n_descsz;
		} else if (note.n_namesz == 4 && !memcmp(notes + name, "Go\0", 4)) {
			elf->has_go_note = true;
		}
		at = description + ((note.n_descsz + 3UL) & ~3UL);
		if (at > bytes)
			return;
	}
}

static int read_segments(struct elf *elf, const struct layout *layout)
{
	size_t header_bytes = elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint32_t count = layout->segment_count < SEGMENTS_LOOKED_AT ? layout->segment_count : SEGMENTS_LOOKED_AT;

	for (uint32_t i = 0; i < count; i++) {
		struct elf_segment segment;
		Elf64_Phdr header64;
		Elf32_Phdr header32;
		uint32_t type;
		uint64_t offset;
		int error;

		if (__builtin_add_overflow(layout->segments_offset, i * header_bytes, &offset))
			return -EBADMSG;
		if (elf->is64) {
			error = elf_read(elf, offset, &header64, sizeof(header64));
			if (error)
				return error;
			type = header64.p_type;
			COPY_SEGMENT(&segment, &header64);
		} else {
			error = elf_read(elf, offset, &header32, sizeof(header32));
			if (error)
				return error;
			type = header32.p_type;
			COPY_SEGMENT(&segment, &header32);
		}
		if (type == PT_NOTE)
			read_notes(elf, segment.offset, segment.file_bytes);
		if (type == PT_GNU_EH_FRAME)
			elf->unwind_index = segment;
		if (type == PT_GNU_SFRAME)
			elf->simple_frames = segment;
		if (type == PT_LOAD && elf->segment_count < ELF_SEGMENTS_MOST)
			elf->segments[elf->segment_count++] = segment;
	}
	return 0;
}

/*
 * Debug files keep their notes, but their program headers tell where the notes were before everything else was taken
 * out.
 */
static void read_note_sections(struct elf *elf)
{
	elf->build_id_bytes = 0;
	for (size_t i = 0; i < elf->section_count; i++)
		if (elf->sections[i].type == SHT_NOTE)
			read_notes(elf, elf->sections[i].offset, elf->sections[i].bytes);
}

int elf_open(struct elf *elf, const struct elf_source *source)
{
	struct layout layout;
	int error;

	*elf = (struct elf){ .source = *source };
	error = read_header(elf, &layout);
	if (error)
		return error;
	error = read_segments(elf, &layout);
	if (error)
		return error;
	read_sections(elf, &layout);
	if (elf->section_count)
		read_note_sections(elf);
	return 0;
}

void elf_close(struct elf *elf)
{
	free(elf->sections);
	free(elf->section_names);
	*elf = (struct elf){ 0 };
}

const char *elf_section_name(const struct elf *elf, const struct elf_section *section)
{
	return section->name < elf->section_names_bytes ? elf->section_names + section->name : "";
}

const struct elf_section *elf_find_section(const struct elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->section_count; i++)
		if (!strcmp(elf_section_name(elf, &elf->sections[i]), name))
			return &elf->sections[i];
	return NULL;
}

const struct elf_section *elf_find_section_type(const struct elf *elf, uint32_t type)
{
	for (size_t i = 0; i < elf->section_count; i++)
		if (elf->sections[i].type == type)
			return &elf->sections[i];
	return NULL;
}

/* Two segments can share a page of the file; code is what is asked for. */
bool elf_address_of(const struct elf_segment *segments, size_t count, uint64_t offset, uint64_t *address)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		const struct elf_segment *segment = &segments[i];

		if (offset < segment->offset || offset - segment->offset >= segment->file_bytes ||
		    (found && !segment->executable))
			continue;
		*address = segment->address + (offset - segment->offset);
		found = true;
		if (segment->executable)
			break;
	}
	return found;
}
