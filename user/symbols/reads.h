/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which bytes of a file something was made of, and what they were: every elf_read() is noted, in order. What depends on nothing else
 * comes out the same of any file that has the same bytes there, as it would read the same, one after the other. So what was made once
 * can be kept, and used again for a file that is proved to be no other: no build id, owner or time has to be believed for that.
 *
 * The digest is of the bytes as they came: what changes while it is read is what it was at that moment.
 */
#ifndef KTALLY_READS_H
#define KTALLY_READS_H

#include "base/digest.h"
#include "symbols/elf.h"

#define READS_MOST	16384		/* extents, and bytes in them: to read more again would gain nothing */
#define READS_BYTES_MOST (256ULL << 20)

struct reads_extent {
	uint64_t offset, bytes;
};

struct elf_reads {
	struct digest digest;
	struct reads_extent *extents;
	size_t count, room;
	uint64_t bytes;			/* in all of them */
	bool broken;			/* some read failed, or there were too many: these are not all */
};

/* Of the file as it is known when it is open: headers, segments, sections, size. */
void reads_begin(struct elf_reads *reads, const struct elf *elf);
void reads_note(struct elf_reads *reads, uint64_t offset, const void *data, size_t bytes);
void reads_end(struct elf_reads *reads, uint8_t *digest);	/* of DIGEST_BYTES */
void reads_free(struct elf_reads *reads);

/* The same digest of another file, whose extents are at hand. 0, -EBADMSG: it is too short, -errno of reading. */
int reads_repeat(const struct elf *elf, const struct reads_extent *extents, size_t count, uint8_t *digest);

#endif
