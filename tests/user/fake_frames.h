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
	fake.error = unwind_read(&fake.table, &elf, NULL, UNWIND_TABLE_BYTES_MOST, &fake.statistics);
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

#endif
