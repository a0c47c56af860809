// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stub is "jmp *slot(%rip)", and a relocation says whose address the dynamic linker puts into the slot. Matching the
 * two by the slot's address is exact, whatever order a linker laid them out in.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/symtab.h"

#define SLOTS_MOST		16384
#define RELOCATIONS_LOOKED_AT	(4U << 20)
#define STUBS_BYTES_MOST	(1U << 20)
#define CHUNK_RELOCATIONS	1024
#define NAME_BYTES_MOST		512

struct slot {
	uint64_t address;
	uint32_t symbol;
};

struct slots {
	struct slot *list;
	size_t count;
};

static void read_relocations(const struct elf *elf, const char *name, struct slots *slots)
{
	const struct elf_section *section = elf_find_section(elf, name);
	Elf64_Rela *chunk;
	uint64_t count;

	if (!section || section->type != SHT_RELA || section->entry_bytes != sizeof(*chunk))
		return;
	count = section->bytes / sizeof(*chunk);
	if (count > RELOCATIONS_LOOKED_AT)
		count = RELOCATIONS_LOOKED_AT;
	chunk = memory_zeroed(CHUNK_RELOCATIONS, sizeof(*chunk));
	for (uint64_t first = 0; first < count && slots->count < SLOTS_MOST; first += CHUNK_RELOCATIONS) {
		size_t here = count - first < CHUNK_RELOCATIONS ? (size_t)(count - first) : CHUNK_RELOCATIONS;
		uint64_t offset;

		if (__builtin_add_overflow(section->offset, first * sizeof(*chunk), &offset) ||
		    elf_read(elf, offset, chunk, here * sizeof(*chunk)))
			break;
		for (size_t i = 0; i < here && slots->count < SLOTS_MOST; i++) {
			uint32_t type = ELF64_R_TYPE(chunk[i].r_info);

			if (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT)
				slots->list[slots->count++] =
					(struct slot){ chunk[i].r_offset, ELF64_R_SYM(chunk[i].r_info) };
		}
	}
	free(chunk);
}

static int by_address(const void *a, const void *b)
{
	const struct slot *one = a, *other = b;

	return one->address < other->address ? -1 : one->address > other->address;
}

/* "name@plt" of a dynamic symbol. */
static bool read_name(const struct elf *elf, const struct elf_section *symbols, uint32_t index, char *name,
		      size_t *bytes)
{
	const struct elf_section *strings = &elf->sections[symbols->link];
	Elf64_Sym symbol;
	uint64_t left, offset;

	if (index >= symbols->bytes / sizeof(symbol) ||
	    __builtin_add_overflow(symbols->offset, (uint64_t)index * sizeof(symbol), &offset) ||
	    elf_read(elf, offset, &symbol, sizeof(symbol)) || symbol.st_name >= strings->bytes)
		return false;
	left = strings->bytes - symbol.st_name;
	if (left > NAME_BYTES_MOST)
		left = NAME_BYTES_MOST;
	if (__builtin_add_overflow(strings->offset, symbol.st_name, &offset) || elf_read(elf, offset, name, left))
		return false;
	*bytes = strnlen(name, left);
	if (!*bytes)
		return false;
	memcpy(name + *bytes, "@plt", 4);
	*bytes += 4;
	return true;
}

/* Where the stub's indirect jump is: "ff 25 slot", after an optional endbr64 and an optional bnd prefix. */
static bool find_jump(const unsigned char *stub, size_t bytes, size_t *jump)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	*jump = 0;
	if (bytes > sizeof(endbr64) && !memcmp(stub, endbr64, sizeof(endbr64)))
		*jump = sizeof(endbr64);
	if (*jump < bytes && stub[*jump] == 0xf2)
		++*jump;
	return bytes - *jump >= 6 && stub[*jump] == 0xff && stub[*jump + 1] == 0x25;
}

static void name_stubs(const struct elf *elf, const char *name, const struct elf_section *symbols,
		       const struct slots *slots, struct draft *draft)
{
	const struct elf_section *section = elf_find_section(elf, name);
	unsigned char *stubs;
	size_t step;

	if (!section || section->type != SHT_PROGBITS || !section->bytes || section->bytes > STUBS_BYTES_MOST)
		return;
	step = section->entry_bytes == 8 ? 8 : 16;
	stubs = memory_zeroed(section->bytes, 1);
	if (elf_read(elf, section->offset, stubs, section->bytes)) {
		free(stubs);
		return;
	}
	for (size_t at = 0; at + step <= section->bytes; at += step) {
		char stub_name[NAME_BYTES_MOST + 4];
		struct symbol symbol = { .bytes = step, .rank = SYMBOL_TYPED };
		struct slot key = { 0 }, *slot;
		size_t jump, bytes;
		int32_t distance;

		if (!find_jump(stubs + at, step, &jump))
			continue;
		memcpy(&distance, stubs + at + jump + 2, sizeof(distance));
		symbol.start = section->address + at;
		symbol.end = symbol.start + step;
		key.address = symbol.start + jump + 6 + (uint64_t)(int64_t)distance;
		slot = bsearch(&key, slots->list, slots->count, sizeof(*slots->list), by_address);
		if (slot && read_name(elf, symbols, slot->symbol, stub_name, &bytes))
			draft_add(draft, &symbol, stub_name, bytes);
	}
	free(stubs);
}

void plt_read(const struct elf *elf, struct draft *draft)
{
	const struct elf_section *symbols = elf_find_section_type(elf, SHT_DYNSYM);
	struct slots slots = { 0 };

	if (!elf->is64 || elf->machine != EM_X86_64 || !symbols || symbols->link >= elf->section_count ||
	    symbols->entry_bytes != sizeof(Elf64_Sym))
		return;
	slots.list = memory_zeroed(SLOTS_MOST, sizeof(*slots.list));
	read_relocations(elf, ".rela.plt", &slots);
	read_relocations(elf, ".rela.dyn", &slots);
	qsort(slots.list, slots.count, sizeof(*slots.list), by_address);
	name_stubs(elf, ".plt", symbols, &slots, draft);
	name_stubs(elf, ".plt.sec", symbols, &slots, draft);
	name_stubs(elf, ".plt.got", symbols, &slots, draft);
	free(slots.list);
}
