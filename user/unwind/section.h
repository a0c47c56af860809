/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of a section, in memory, unpacked. */
#ifndef KTALLY_UNWIND_SECTION_H
#define KTALLY_UNWIND_SECTION_H

#include "symbols/elf.h"

/* More than any real section that is read whole: 300 MB of code have 20 MB of .eh_frame. */
#define SECTION_BYTES_MOST	(64U << 20)

struct section {
	const uint8_t *data;
	size_t bytes;
	uint64_t address;
	void *owned;
};

/* By name; -ENOENT, -EFBIG, -EBADMSG, -errno of reading. */
int section_load(const struct elf *elf, const char *name, struct section *section);

/* As it lies in the file, from an address up to another one, or to the end of the segment (bytes UINT64_MAX). */
int section_load_address(const struct elf *elf, uint64_t address, uint64_t bytes, struct section *section);

void section_free(struct section *section);

#endif
