// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "unwind/linker.h"

#define ENTRY_BYTES_MOST	256
#define STUB_BYTES		16
#define RSP_NUMBER		7

enum kind { ENTRY, FIRST_STUB, STUBS, BRANCH_TRACKED_STUBS, JUMPS };

struct pattern {
	uint8_t bytes[8], count;
};

static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

static bool code_at(const struct elf *elf, uint64_t address, uint8_t *code, size_t bytes)
{
	uint64_t start;
	uint32_t length;

	return index_locate(elf, address, bytes, &start, &length) && length >= bytes &&
	       !elf_read(elf, start, code, bytes);
}

static bool begins(const uint8_t *code, const struct pattern *pattern)
{
	return !memcmp(code, pattern->bytes, pattern->count);
}

/* "xor %ebp, %ebp", as the ABI wants it, or "mov %rsp, %rdi". The entry of a library is often just its first function. */
static bool is_start(const struct elf *elf)
{
	static const struct pattern patterns[] = {
		{ { 0x31, 0xed }, 2 }, { { 0x48, 0x31, 0xed }, 3 }, { { 0x48, 0x89, 0xe7 }, 3 },
	};
	uint8_t code[8];
	const uint8_t *at = code;

	if (!code_at(elf, elf->entry, code, sizeof(code)))
		return false;
	if (!memcmp(code, endbr64, sizeof(endbr64)))
		at += sizeof(endbr64);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (begins(at, &patterns[i]))
			return true;
	return false;
}

/* How much behind an offset nobody tells of; 0 if somebody tells of itself. */
static uint64_t free_bytes(const struct index *index, uint64_t start, uint64_t most)
{
	for (size_t i = 0; i < index->sorted; i++) {
		const struct function *function = &index->list[i];

		if (function->start > start)
			return function->start - start < most ? function->start - start : most;
		if (start - function->start < function->bytes)
			return 0;
	}
	return most;
}

static void add_entry(const struct elf *elf, struct index *index, unsigned int source)
{
	uint64_t start, bytes;
	uint32_t length;

	if (!is_start(elf) || !index_locate(elf, elf->entry, ENTRY_BYTES_MOST, &start, &length))
		return;
	bytes = free_bytes(index, start, length);
	if (bytes)
		index_add(index, source, elf->entry, bytes, ENTRY);
}

/* A first stub that all others jump to, which goes to the dynamic linker; and the others: they push which one they are. */
static void add_lazy_stubs(const struct elf *elf, const struct elf_section *section, struct index *index,
			   unsigned int source)
{
	static const struct pattern push = { { 0xff, 0x35 }, 2 }, jump = { { 0xff, 0x25 }, 2 };
	uint8_t code[2 * STUB_BYTES];
	const uint8_t *second = code + STUB_BYTES;
	enum kind kind;

	if (section->bytes < sizeof(code) || !code_at(elf, section->address, code, sizeof(code)) || !begins(code, &push) ||
	    memcmp(code + 6, jump.bytes, jump.count))
		return;
	if (begins(second, &jump) && second[6] == 0x68 && second[11] == 0xe9)
		kind = STUBS;
	else if (!memcmp(second, endbr64, sizeof(endbr64)) && second[4] == 0x68 && second[9] == 0xe9)
		kind = BRANCH_TRACKED_STUBS;
	else
		return;
	index_add(index, source, section->address, STUB_BYTES, FIRST_STUB);
	index_add(index, source, section->address + STUB_BYTES, section->bytes - STUB_BYTES, kind);
}

/* Stubs that only jump. */
static void add_jumps(const struct elf *elf, const struct elf_section *section, struct index *index, unsigned int source)
{
	static const struct pattern jump = { { 0xff, 0x25 }, 2 };
	uint8_t code[8];

	if (!code_at(elf, section->address, code, sizeof(code)))
		return;
	if (begins(code, &jump) || (!memcmp(code, endbr64, sizeof(endbr64)) && !memcmp(code + 4, jump.bytes, jump.count)))
		index_add(index, source, section->address, section->bytes, JUMPS);
}

void linker_index(const struct elf *elf, struct index *index, unsigned int source)
{
	static const char *const names[] = { ".plt", ".iplt", ".plt.sec", ".plt.got" };

	add_entry(elf, index, source);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *section = elf_find_section(elf, names[i]);

		if (!section || section->type != SHT_PROGBITS || section->address % STUB_BYTES)
			continue;
		add_lazy_stubs(elf, section, index, source);
		add_jumps(elf, section, index, source);
	}
}

void linker_run(uint32_t kind, struct rows *rows)
{
	struct ktally_unwind_rule rule = { .kind = KTALLY_UNWIND_REGISTER, .cfa_register = RSP_NUMBER, .cfa_offset = 8 };

	switch (kind) {
	case ENTRY:
		rule = (struct ktally_unwind_rule){ .kind = KTALLY_UNWIND_END };
		break;
	case FIRST_STUB:
		rule.cfa_offset = 16;
		rows_rule(rows, 0, &rule);
		rule.cfa_offset = 24;
		rows_rule(rows, 6, &rule);
		return;
	case STUBS:
	case BRANCH_TRACKED_STUBS:
		rule.kind = KTALLY_UNWIND_PLT;
		rule.deref_offset = kind == STUBS ? 11 : 9;
		break;
	}
	rows_rule(rows, 0, &rule);
}
