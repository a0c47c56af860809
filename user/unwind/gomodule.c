// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Go 1.26, and position-independent programs before, leave it to the run time to know where the code begins. It is in
 * runtime.firstmoduledata, as minpc, maxpc and text, one after the other; as the linker knows how far apart these three
 * are, they are found without knowing where. In position-independent programs they are relocations.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "unwind/pclntab.h"

#define CHUNK_BYTES	65536
#define SEARCHED_MOST	(256ULL << 20)

struct search {
	uint64_t first, last;		/* distances from the text */
	uint64_t values[3], places[3];	/* the last three seen */
};

static bool is_it(struct search *search, uint64_t place, uint64_t value)
{
	memmove(search->values, search->values + 1, 2 * sizeof(search->values[0]));
	memmove(search->places, search->places + 1, 2 * sizeof(search->places[0]));
	search->values[2] = value;
	search->places[2] = place;
	return value && search->places[0] + 8 == search->places[1] && search->places[1] + 8 == place &&
	       search->values[0] - value == search->first && search->values[1] - value == search->last;
}

/* *left: so many bytes may yet be read, for sections may be long, many, and all the same. */
static uint64_t search_section(const struct elf *elf, const struct elf_section *section, uint64_t *left,
			       struct search *search)
{
	bool relocations = section->type == SHT_RELA;
	size_t step = relocations ? sizeof(Elf64_Rela) : 8;
	uint64_t bytes = section->bytes < *left ? section->bytes : *left, found = 0;
	uint8_t *chunk = memory_zeroed(CHUNK_BYTES, 1);
	size_t here;

	for (uint64_t at = 0; at + step <= bytes && !found; at += here) {
		here = (bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES) / step * step;
		if (section->offset > UINT64_MAX - at || elf_read(elf, section->offset + at, chunk, here))
			break;
		for (size_t i = 0; i < here && !found; i += step) {
			Elf64_Rela relocation = { .r_offset = section->address + at + i };

			if (relocations)
				memcpy(&relocation, chunk + i, sizeof(relocation));
			else
				memcpy(&relocation.r_addend, chunk + i, sizeof(relocation.r_addend));
			if (is_it(search, relocation.r_offset, (uint64_t)relocation.r_addend))
				found = (uint64_t)relocation.r_addend;
		}
	}
	*left -= bytes;
	free(chunk);
	return found;
}

uint64_t gomodule_text(const struct elf *elf, uint64_t first, uint64_t last)
{
	const struct elf_section *text = elf_find_section(elf, ".text");
	uint64_t left = SEARCHED_MOST;

	for (size_t i = 0; i < elf->section_count && last > first && left; i++) {
		const struct elf_section *section = &elf->sections[i];
		struct search search = { .first = first, .last = last };
		uint64_t found, start;
		uint32_t length;

		if (section->type != SHT_RELA &&
		    (section->type != SHT_PROGBITS || !(section->flags & SHF_ALLOC) || (section->flags & SHF_EXECINSTR)))
			continue;
		found = search_section(elf, section, &left, &search);
		if (found && index_locate(elf, found, 1, &start, &length))
			return found;
	}
	return text && (text->flags & SHF_EXECINSTR) ? text->address : 0;
}
