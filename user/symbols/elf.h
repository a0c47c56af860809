/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file as far as names need it: headers, sections, loaded segments, build id. It is read piece by piece, never
 * mapped: whoever owns the file may cut it short at any moment, and a mapping would then kill the reader with SIGBUS.
 * 64 and 32 bits, little-endian.
 */
#ifndef KTALLY_ELF_H
#define KTALLY_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>

struct elf_reads;

/* A file, or memory that holds one. */
struct elf_source {
	int fd;				/* used if memory is NULL */
	const void *memory;
	uint64_t bytes;
	struct elf_reads *reads;	/* where what is read of a file is noted (reads.h); NULL: nowhere */
	bool any_type;			/* also of a type that does not run */
};

struct elf_section {
	uint32_t name, type, link, info;
	uint64_t flags, address, offset, bytes, entry_bytes;
};

struct elf_segment {
	uint64_t offset, address, file_bytes, memory_bytes;
	bool executable;
};

#define ELF_SEGMENTS_MOST	32	/* loaded ones; real files have two to eight */
#define ELF_BUILD_ID_MOST	64

struct elf {
	struct elf_source source;
	bool is64;
	uint16_t type, machine;
	uint64_t entry;			/* address where a process begins */
	struct elf_section *sections;
	size_t section_count;
	char *section_names;
	size_t section_names_bytes;
	struct elf_segment segments[ELF_SEGMENTS_MOST];
	size_t segment_count;
	struct elf_segment unwind_index, simple_frames;	/* .eh_frame_hdr and .sframe, also where no section says so */
	uint8_t build_id[ELF_BUILD_ID_MOST];
	size_t build_id_bytes;
	bool has_go_note;		/* the Go linker's own build id */
};

/*
 * -ENOEXEC: not ELF, or not one of a kind that this host runs; -EBADMSG: cut short or inconsistent; -errno of reading.
 */
int elf_open(struct elf *elf, const struct elf_source *source);
void elf_close(struct elf *elf);	/* not the source's descriptor */

/* Exactly so many bytes; -EBADMSG if the file is too short. */
int elf_read(const struct elf *elf, uint64_t offset, void *into, size_t bytes);

const char *elf_section_name(const struct elf *elf, const struct elf_section *section);	/* "" if it has none */
const struct elf_section *elf_find_section(const struct elf *elf, const char *name);
const struct elf_section *elf_find_section_type(const struct elf *elf, uint32_t type);

/* The address that the link editor gave to a byte of the file: what symbol tables count in. */
bool elf_address_of(const struct elf_segment *segments, size_t count, uint64_t offset, uint64_t *address);

#endif
