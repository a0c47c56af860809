/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions by address, compact: sixteen bytes and a name for each, in two blocks of memory. A table is drafted in any
 * order from several sources (a file's two symbol tables and its stubs, or the lines of kallsyms), then finished once
 * and only read.
 */
#ifndef KTALLY_TABLE_H
#define KTALLY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_entry {
	uint32_t start;			/* from table.base */
	uint32_t bytes;			/* TABLE_FOLDED may be set */
	uint32_t name;			/* in table.names; TABLE_NAMELESS: only the end of what is before it */
	uint32_t outer;			/* nearest entry before that reaches over this one's start, or TABLE_NO_OUTER */
};

#define TABLE_FOLDED	(1U << 31)
#define TABLE_NAMELESS	UINT32_MAX
#define TABLE_NO_OUTER	UINT32_MAX

struct table {
	uint64_t base;
	struct table_entry *entries;
	size_t count;
	char *names;
	size_t name_bytes;
};

/* How sure it is that a symbol is the function's name. Where several have one address, the best is kept. */
enum symbol_rank {
	SYMBOL_TYPED = 1,		/* said to be a function, not just a label in code */
	SYMBOL_PUBLIC = 2,		/* global or weak */
	SYMBOL_STRONG = 4,		/* global */
};

struct symbol {
	uint64_t start;
	uint64_t bytes;			/* 0: not known; it then ends where the next one starts, at the latest at */
	uint64_t end;			/* where the section or the like ends */
	unsigned int rank;		/* of enum symbol_rank */
};

struct draft {
	uint64_t base;
	size_t most_bytes;		/* ceiling for entries and names together */
	bool overflow;			/* something was refused because of it */
	struct draft_entry *entries;
	size_t count, capacity;
	char *names;
	size_t name_bytes, name_capacity;
};

void draft_begin(struct draft *draft, uint64_t base, size_t most_bytes);

/*
 * Symbols outside the 4 GiB from base are ignored. A name of NULL is a boundary: nothing that starts before reaches
 * past it.
 */
void draft_add(struct draft *draft, const struct symbol *symbol, const char *name, size_t name_bytes);

void draft_finish(struct draft *draft, struct table *table);	/* the draft is gone afterwards */
void draft_drop(struct draft *draft);

/* The name of the function at an address, NULL if none; *start is where it begins. */
const char *table_find(const struct table *table, uint64_t address, uint64_t *start);

/*
 * Whether the function at an address has other names that are no aliases of this one: linkers and compilers fold
 * functions whose code is the same (ICF), and the one name is then as right as the other. Only mangled names tell: of
 * "write" and "__libc_write" nobody knows what they have to do with each other.
 */
bool table_is_folded(const struct table *table, uint64_t address);

size_t table_bytes(const struct table *table);
void table_free(struct table *table);

#endif
