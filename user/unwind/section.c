// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/message.h"
#include "unwind/section.h"

#define CHUNK_BYTES	65536
#define PACKED_ZSTD	2	/* ELFCOMPRESS_ZSTD, newer than glibc 2.36 */

static int load(const struct elf *elf, uint64_t offset, uint64_t bytes, struct section *section)
{
	int error;

	if (!bytes)
		return -ENOENT;
	if (offset > elf->source.bytes || bytes > elf->source.bytes - offset)
		return -EBADMSG;
	section->bytes = bytes;
	if (elf->source.memory) {
		section->data = (const uint8_t *)elf->source.memory + offset;
		return 0;
	}
	if (bytes > SECTION_BYTES_MOST)
		return -EFBIG;
	section->owned = memory_zeroed(bytes, 1);
	section->data = section->owned;
	error = elf_read(elf, offset, section->owned, bytes);
	if (error)
		section_free(section);
	return error;
}

/* Chunk by chunk, so that what is packed is never all in memory. False once nothing is left. */
struct packed {
	const struct elf *elf;
	uint64_t offset, bytes;
	uint8_t chunk[CHUNK_BYTES];
};

static size_t next_chunk(struct packed *packed)
{
	size_t here = packed->bytes < CHUNK_BYTES ? packed->bytes : CHUNK_BYTES;

	if (!here || elf_read(packed->elf, packed->offset, packed->chunk, here))
		return 0;
	packed->offset += here;
	packed->bytes -= here;
	return here;
}

static bool inflate_all(struct packed *packed, struct section *section)
{
	z_stream stream = { .next_out = section->owned, .avail_out = (uInt)section->bytes };
	int status = Z_OK;

	if (inflateInit(&stream) != Z_OK)
		return false;
	while (status == Z_OK) {
		if (!stream.avail_in) {
			stream.avail_in = (uInt)next_chunk(packed);
			stream.next_in = packed->chunk;
			if (!stream.avail_in)
				break;
		}
		status = inflate(&stream, Z_NO_FLUSH);
	}
	inflateEnd(&stream);
	return status == Z_STREAM_END && !stream.avail_out;
}

static bool decompress_all(struct packed *packed, struct section *section)
{
	ZSTD_outBuffer to = { .dst = section->owned, .size = section->bytes };
	ZSTD_DStream *stream = ZSTD_createDStream();
	size_t left = 1;

	if (!stream)
		return false;
	ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 23);
	while (left && !ZSTD_isError(left)) {
		ZSTD_inBuffer from = { .src = packed->chunk, .size = next_chunk(packed) };

		if (!from.size)
			break;
		while (left && from.pos < from.size && !ZSTD_isError(left)) {
			size_t before = from.pos + to.pos;

			left = ZSTD_decompressStream(stream, &to, &from);
			if (from.pos + to.pos == before)
				break;	/* more than it said it would be */
		}
		if (from.pos < from.size)
			break;
	}
	ZSTD_freeDStream(stream);
	return !left && to.pos == to.size;
}

static int unpack(const struct elf *elf, uint64_t offset, uint64_t packed_bytes, uint32_t how, uint64_t bytes,
		  struct section *section)
{
	struct packed *packed;
	bool done = false;

	if (!bytes || bytes > SECTION_BYTES_MOST)
		return bytes ? -EFBIG : -EBADMSG;
	packed = memory_zeroed(1, sizeof(*packed));
	packed->elf = elf;
	packed->offset = offset;
	packed->bytes = packed_bytes;
	section->owned = memory_zeroed(bytes, 1);
	section->data = section->owned;
	section->bytes = bytes;
	if (how == ELFCOMPRESS_ZLIB)
		done = inflate_all(packed, section);
	else if (how == PACKED_ZSTD)
		done = decompress_all(packed, section);
	free(packed);
	if (!done)
		section_free(section);
	return done ? 0 : -EBADMSG;
}

/* The form of before 2015: ".zdebug_frame", "ZLIB", and the size with its highest byte first. */
static int load_old_packed(const struct elf *elf, const char *name, struct section *section)
{
	const struct elf_section *found;
	unsigned char header[12];
	uint64_t bytes = 0;
	char old[32] = ".z";

	if (strncmp(name, ".debug_", 7) || strlen(name) >= sizeof(old) - 2)
		return -ENOENT;
	strcpy(old + 2, name + 1);
	found = elf_find_section(elf, old);
	if (!found || found->type == SHT_NOBITS || found->bytes < sizeof(header))
		return -ENOENT;
	if (elf_read(elf, found->offset, header, sizeof(header)) || memcmp(header, "ZLIB", 4))
		return -EBADMSG;
	for (unsigned int i = 4; i < sizeof(header); i++)
		bytes = bytes << 8 | header[i];
	return unpack(elf, found->offset + sizeof(header), found->bytes - sizeof(header), ELFCOMPRESS_ZLIB, bytes,
		      section);
}

int section_load(const struct elf *elf, const char *name, struct section *section)
{
	const struct elf_section *found = elf_find_section(elf, name);
	Elf64_Chdr header;

	*section = (struct section){ 0 };
	if (!found)
		return load_old_packed(elf, name, section);
	if (found->type == SHT_NOBITS)
		return -ENOENT;
	section->address = found->address;
	if (!(found->flags & SHF_COMPRESSED))
		return load(elf, found->offset, found->bytes, section);
	if (found->bytes < sizeof(header) || elf_read(elf, found->offset, &header, sizeof(header)))
		return -EBADMSG;
	return unpack(elf, found->offset + sizeof(header), found->bytes - sizeof(header), header.ch_type, header.ch_size,
		      section);
}

int section_load_address(const struct elf *elf, uint64_t address, uint64_t bytes, struct section *section)
{
	*section = (struct section){ .address = address };
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		uint64_t within = address - segment->address, offset;

		if (address < segment->address || within >= segment->file_bytes ||
		    __builtin_add_overflow(segment->offset, within, &offset))
			continue;
		if (bytes > segment->file_bytes - within)
			bytes = segment->file_bytes - within;
		return load(elf, offset, bytes, section);
	}
	return -ENOENT;
}

void section_free(struct section *section)
{
	free(section->owned);
	*section = (struct section){ 0 };
}
