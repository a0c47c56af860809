/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwind information made by hand, in an ELF file made by hand, and what a rule says as text. */
#ifndef KTALLY_FAKE_FRAMES_H
#define KTALLY_FAKE_FRAMES_H

#include <stdarg.h>

#include "check.h"
#include "fake_elf.h"
#include "unwind/unwind.h"

/* Bytes given one by one; BYTES(1, 2) and their number. */
#define BYTES(...)	(const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static inline void put_number(struct buffer *buffer, uint64_t value, unsigned int bytes)
{
	buffer_append(buffer, &value, bytes);
}

/* A length, what `body` has, and nothing to fill it up. */
static inline void put_entry(struct buffer *buffer, uint32_t id, const struct buffer *body)
{
	put_number(buffer, body->bytes + 4, 4);
	put_number(buffer, id, 4);
	buffer_append(buffer, body->data, body->bytes);
}

/* "rsp+16 rbp-16 r12-24": the CFA and where registers are, in bytes. */
static inline const char *rule_text(const struct ktally_unwind_rule *rule)
{
	static const char *const names[] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10",
					     "r11", "r12", "r13", "r14", "r15" };
	static const char *const saved[] = { "rbp", "rbx", "r12", "r13", "r14", "r15" };
	static char text[256];
	size_t at = 0;

	switch (rule->kind) {
	case KTALLY_UNWIND_NONE:
		return "none";
	case KTALLY_UNWIND_END:
		return "end";
	case KTALLY_UNWIND_SIGNAL:
		return "signal";
	case KTALLY_UNWIND_REGISTER:
		at = (size_t)sprintf(text, "%s%+d", names[rule->cfa_register], rule->cfa_offset);
		break;
	case KTALLY_UNWIND_DEREF:
		at = (size_t)sprintf(text, "*(%s%+d)%+d", names[rule->cfa_register], rule->cfa_offset, rule->deref_offset);
		break;
	case KTALLY_UNWIND_PLT:
		at = (size_t)sprintf(text, "%s%+d plt %d", names[rule->cfa_register], rule->cfa_offset, rule->deref_offset);
		break;
	}
	for (unsigned int i = 0; i < KTALLY_UNWIND_SAVED; i++)
		if (rule->saved >> i & 1)
			at += (size_t)sprintf(text + at, " %s%s%+d", saved[i],
					      rule->saved >> (KTALLY_UNWIND_SAVED_FROM_RBP + i) & 1 ? "=rbp" : "",
					      rule->saved_at[i] * 8);
	return text;
}

struct fake_table {
	struct unwind_table table;
	struct unwind_statistics statistics;
	int error;
};

static inline struct fake_table read_fake(const struct buffer *file)
{
	struct elf_source source = { .fd = -1, .memory = file->data, .bytes = file->bytes };
	struct fake_table fake = { .error = 0 };
	struct elf elf;

	fake.error = elf_open(&elf, &source);
	if (fake.error)
		return fake;
	fake.error = unwind_read(&fake.table, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &fake.statistics);
	if (!fake.error && unwind_table_check(&fake.table))
		fake.error = -1;
	elf_close(&elf);
	return fake;
}

static inline struct fake_table read_fake_section(const char *name, const struct buffer *data)
{
	const struct fake_elf elf = { .section = name, .section_data = data->data, .section_bytes = data->bytes };
	struct buffer file = fake_elf(&elf);
	struct fake_table fake = read_fake(&file);

	buffer_free(&file);
	return fake;
}

/* What is said of a place in the code. */
static inline const char *fake_rule(const struct fake_table *fake, uint64_t within)
{
	return fake->error ? "error" : rule_text(unwind_table_find(&fake->table, FAKE_TEXT_OFFSET + within));
}

static inline void free_fake(struct fake_table *fake)
{
	unwind_table_free(&fake->table);
}

/* Go's table of two functions: one that takes 64 bytes of stack after 4 bytes of code and gives them back after 28, and goexit. */
static inline struct buffer fake_pclntab(uint32_t magic)
{
	static const uint8_t moves[] = { 0, 2, 4, 0x80, 1, 28, 0x7f, 0x20, 0 };
	bool old = magic == 0xfffffffa;
	unsigned int wide = old ? 8 : 4;
	struct buffer table = { 0 }, names = { 0 };
	uint64_t functions = 0x80 + 16;
	uint64_t descriptions[2] = { 5 * wide, 5 * wide + 64 };

	buffer_append(&names, "main.main\0runtime.goexit", 25);
	put_number(&table, magic, 4);
	put_number(&table, 0x08010000, 4);
	put_number(&table, 2, 8);
	put_number(&table, 1, 8);
	if (!old)
		put_number(&table, FAKE_TEXT_ADDRESS, 8);
	put_number(&table, 0x50, 8);	/* names */
	put_number(&table, 0, 8);
	put_number(&table, 0, 8);
	put_number(&table, 0x80, 8);	/* moves */
	put_number(&table, functions, 8);
	fake_pad(&table, 0x50);
	buffer_append(&table, names.data, names.bytes);
	fake_pad(&table, 0x80);
	buffer_append(&table, moves, sizeof(moves));
	fake_pad(&table, functions);
	for (unsigned int i = 0; i < 3; i++) {
		put_number(&table, 0x100 + 0x40 * i + (old ? FAKE_TEXT_ADDRESS : 0), wide);
		if (i < 2)
			put_number(&table, descriptions[i], wide);
	}
	for (unsigned int i = 0; i < 2; i++) {
		size_t at;

		fake_pad(&table, functions + descriptions[i]);
		at = table.bytes;
		put_number(&table, 0x100 + 0x40 * i, wide);
		put_number(&table, i ? 10 : 0, 4);	/* name */
		put_number(&table, 0, 8);
		put_number(&table, 1, 4);		/* moves */
		fake_pad(&table, at + (magic == 0xfffffff1 ? 41 : old ? 41 : 37));
		put_number(&table, old ? 0 : i, 1);	/* flags */
		fake_pad(&table, at + 48);
	}
	buffer_free(&names);
	return table;
}

#endif
