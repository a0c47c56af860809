// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "symbols/reads.h"

#define CHUNK_BYTES	65536

/* Numbers, in order. */
#define ADD(digest, ...) add_numbers(digest, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void add_numbers(struct digest *digest, const uint64_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		digest_add_number(digest, numbers[i]);
}

static void add_segment(struct digest *digest, const struct elf_segment *segment)
{
	ADD(digest, segment->offset, segment->address, segment->file_bytes, segment->memory_bytes, segment->executable);
}

static void add_section(struct digest *digest, const struct elf_section *section)
{
	ADD(digest, section->name, section->type, section->link, section->info, section->flags, section->address, section->offset,
	    section->bytes, section->entry_bytes);
}

/* All that elf_open() found, in whatever it was; each list behind its length, so that no two files are the same text. */
static void add_elf(struct digest *digest, const struct elf *elf)
{
	ADD(digest, elf->source.bytes, elf->is64, elf->type, elf->machine, elf->entry, elf->has_go_note, elf->build_id_bytes);
	digest_add(digest, elf->build_id, elf->build_id_bytes);
	ADD(digest, elf->segment_count);
	for (size_t i = 0; i < elf->segment_count; i++)
		add_segment(digest, &elf->segments[i]);
	add_segment(digest, &elf->unwind_index);
	add_segment(digest, &elf->simple_frames);
	ADD(digest, elf->section_count);
	for (size_t i = 0; i < elf->section_count; i++)
		add_section(digest, &elf->sections[i]);
	ADD(digest, elf->section_names_bytes);
	digest_add(digest, elf->section_names, elf->section_names_bytes);
}

void reads_begin(struct elf_reads *reads, const struct elf *elf)
{
	*reads = (struct elf_reads){ .broken = false };
	digest_begin(&reads->digest);
	add_elf(&reads->digest, elf);
}

void reads_note(struct elf_reads *reads, uint64_t offset, const void *data, size_t bytes)
{
	struct reads_extent *last = reads->count ? &reads->extents[reads->count - 1] : NULL;

	if (reads->broken)
		return;
	reads->bytes += bytes;
	reads->broken = reads->bytes > READS_BYTES_MOST;
	digest_add(&reads->digest, data, bytes);
	if (last && last->offset + last->bytes == offset) {
		last->bytes += bytes;
		return;
	}
	if (reads->count == READS_MOST) {
		reads->broken = true;
		return;
	}
	if (reads->count == reads->room) {
		reads->room = reads->room ? reads->room * 2 : 16;
		reads->extents = memory_resized(reads->extents, reads->room, sizeof(*reads->extents));
	}
	reads->extents[reads->count++] = (struct reads_extent){ offset, bytes };
}

void reads_end(struct elf_reads *reads, uint8_t *digest)
{
	digest_finish(&reads->digest, digest);
}

void reads_free(struct elf_reads *reads)
{
	free(reads->extents);
	*reads = (struct elf_reads){ .broken = true };
}

int reads_repeat(const struct elf *elf, const struct reads_extent *extents, size_t count, uint8_t *result)
{
	char *chunk = memory_zeroed(CHUNK_BYTES, 1);
	struct digest digest;
	int error = 0;

	digest_begin(&digest);
	add_elf(&digest, elf);
	for (size_t i = 0; i < count && !error; i++) {
		uint64_t at = extents[i].offset, left = extents[i].bytes;

		while (left && !error) {
			size_t here = left < CHUNK_BYTES ? left : CHUNK_BYTES;

			error = elf_read(elf, at, chunk, here);
			if (!error)
				digest_add(&digest, chunk, here);
			at += here;
			left -= here;
		}
	}
	free(chunk);
	if (!error)
		digest_finish(&digest, result);
	return error;
}
