// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbols/table.h: aliases, sizes, nesting, bounds; and everything once more against a table that is searched from end
 * to end.
 */
#include <stdint.h>
#include <time.h>

#include "check.h"
#include "symbols/table.h"

#define BASE	0x400000ULL

static void add(struct draft *draft, uint64_t start, uint64_t bytes, uint64_t end, unsigned int rank, const char *name)
{
	const struct symbol symbol = { .start = BASE + start, .bytes = bytes, .end = BASE + end, .rank = rank };

	draft_add(draft, &symbol, name, name ? strlen(name) : 0);
}

static const char *find(const struct table *table, uint64_t at)
{
	uint64_t start;

	return table_find(table, BASE + at, &start);
}

#define ALL (SYMBOL_TYPED | SYMBOL_PUBLIC | SYMBOL_STRONG)

static void aliases(void)
{
	struct draft draft;
	struct table table;

	draft_begin(&draft, BASE, 1 << 20);
	add(&draft, 0x100, 16, 0x1000, ALL, "__write");
	add(&draft, 0x100, 16, 0x1000, SYMBOL_TYPED | SYMBOL_PUBLIC, "write");
	add(&draft, 0x100, 16, 0x1000, SYMBOL_TYPED, "w");
	add(&draft, 0x200, 16, 0x1000, SYMBOL_TYPED, "local");
	add(&draft, 0x200, 16, 0x1000, ALL, "global_with_a_long_name");
	add(&draft, 0x300, 0, 0x1000, ALL, "without_size");
	add(&draft, 0x300, 16, 0x1000, SYMBOL_TYPED, "with_size");
	add(&draft, 0x400, 0, 0x1000, ALL, "__text_section_start");
	add(&draft, 0x400, 0, 0x1000, SYMBOL_TYPED, "first_function");
	add(&draft, 0x500, 16, 0x1000, SYMBOL_PUBLIC | SYMBOL_STRONG, "label");
	add(&draft, 0x500, 16, 0x1000, SYMBOL_TYPED, "function");
	add(&draft, 0x600, 16, 0x1000, ALL, "beta");
	add(&draft, 0x600, 16, 0x1000, ALL, "alfa");
	add(&draft, 0x600, 16, 0x1000, ALL, "alpha");
	draft_finish(&draft, &table);
	check_string(find(&table, 0x100), "write", "the alias with fewer underscores, even if it is the weak one");
	check_string(find(&table, 0x200), "global_with_a_long_name", "the global alias");
	check_string(find(&table, 0x300), "with_size", "the alias that has a size");
	check_string(find(&table, 0x400), "first_function", "not the marker of the section");
	check_string(find(&table, 0x500), "function", "not the label");
	check_string(find(&table, 0x600), "alfa", "by length, then by alphabet");
	check_number(table.count, 6, "one entry for each address");
	table_free(&table);
}

/* Several functions at one address are one of two things: one function with several names, or several with one code. */
static void folded(void)
{
	static const struct {
		const char *name, *other;
		bool folded;
	} cases[] = {
		{ "_ZN3Foo3getEv", "_ZN3Bar3getEv", true },
		{ "_ZN3FooC1Ev", "_ZN3FooC2Ev", false },
		{ "_ZN3FooD1Ev", "_ZN3FooD2Ev", false },
		{ "_ZN3FooD1Ev", "_ZN3FoxD2Ev", true },
		{ "_ZN3Foo3getEv", "_ZN3Foo3getEv.localalias", false },
		{ "_ZN3foo3bar17h0123456789abcdefE", "_ZN3foo3bar17h0000456789abcdefE", false },
		{ "_ZN3foo3baz17h0123456789abcdefE", "_ZN3foo3bar17h0123456789abcdefE", true },
		{ "_RNvCs1_3foo3bar", "_RNvCs1_3foo3baz", true },
		{ "write", "__libc_write", false },
		{ "main", "_Z4mainv", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct draft draft;
		struct table table;

		draft_begin(&draft, BASE, 1 << 20);
		add(&draft, 0x100, 16, 0x1000, ALL, cases[i].name);
		add(&draft, 0x100, 16, 0x1000, ALL, cases[i].other);
		add(&draft, 0x200, 16, 0x1000, ALL, "_ZN3Foo5otherEv");
		add(&draft, 0x200, 12, 0x1000, ALL, "_ZN3Foo7shorterEv");
		draft_finish(&draft, &table);
		check(table_is_folded(&table, BASE + 0x10f) == cases[i].folded, "%s and %s: %s", cases[i].name,
		      cases[i].other, cases[i].folded ? "folded" : "one function");
		check(find(&table, 0x10f) && !find(&table, 0x110), "it ends where it did");
		check(!table_is_folded(&table, BASE + 0x208) && !table_is_folded(&table, BASE + 0x110),
		      "of different sizes, and nothing: not folded");
		table_free(&table);
	}
}

static void extents(void)
{
	struct draft draft;
	struct table table;
	uint64_t start = 0;

	draft_begin(&draft, BASE, 1 << 20);
	add(&draft, 0x100, 0x100, 0x1000, ALL, "outer");
	add(&draft, 0x140, 0x20, 0x1000, ALL, "inner");
	add(&draft, 0x144, 0, 0x1000, ALL, "label_within");
	add(&draft, 0x300, 0, 0x1000, ALL, "sizeless");
	add(&draft, 0x340, 0x10, 0x1000, ALL, "next");
	add(&draft, 0x400, 0x40, 0x1000, ALL, "first_half");
	add(&draft, 0x420, 0x40, 0x1000, ALL, "second_half");
	add(&draft, 0x500, 0, 0x540, ALL, "last_of_section");
	add(&draft, 0x600, ~0ULL, 0x640, ALL, "claims_everything");
	add(&draft, 0x700, 0, 0x1000, ALL, "before_boundary");
	add(&draft, 0x720, 0, 0, 0, NULL);
	add(&draft, 0x800, 0, 0x800, ALL, "nothing");
	add(&draft, 0x900, 8, 0x1000, ALL, "");
	add(&draft, 5ULL << 30, 8, 6ULL << 30, ALL, "far");
	add(&draft, (uint64_t)-16, 8, 0, ALL, "below");
	draft_finish(&draft, &table);
	check_string(find(&table, 0xff), NULL, "before the first");
	check_string(find(&table, 0x13f), "outer", "outer, before inner");
	check_string(find(&table, 0x140), "inner", "inner");
	check_string(find(&table, 0x15f), "inner", "a label does not end a function that has a size");
	check_string(find(&table, 0x160), "outer", "outer, after inner");
	check_string(find(&table, 0x200), NULL, "after outer");
	check_string(find(&table, 0x33f), "sizeless", "without a size, up to the next one");
	check_string(find(&table, 0x350), NULL, "the next one has a size");
	check_string(find(&table, 0x43f), "second_half", "two that overlap: the later one");
	check_string(find(&table, 0x41f), "first_half", "and before it the earlier one");
	check_string(find(&table, 0x53f), "last_of_section", "up to the end of the section");
	check_string(find(&table, 0x540), NULL, "and no further");
	check_string(find(&table, 0x63f), "claims_everything", "a size is cut");
	check_string(find(&table, 0x640), NULL, "at the end of the section");
	check_string(find(&table, 0x71f), "before_boundary", "up to a boundary");
	check_string(find(&table, 0x720), NULL, "a boundary is no function");
	check_string(find(&table, 0x800), NULL, "one without room is none");
	check_string(find(&table, 0x900), NULL, "one without a name is none");
	check_string(find(&table, 5ULL << 30), NULL, "nothing is wrapped into 4 GiB");
	check_string(find(&table, (uint64_t)-16), NULL, "nothing below the base");
	table_find(&table, BASE + 0x170, &start);
	check_number(start, BASE + 0x100, "the start is that of the function that was found");
	table_free(&table);
}

static void bounds(void)
{
	char name[8192];
	struct draft draft;
	struct table table;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	draft_begin(&draft, BASE, 1 << 20);
	add(&draft, 0, 8, 0x1000, ALL, name);
	check(!draft.overflow, "there is room for one");
	draft_finish(&draft, &table);
	check(strlen(find(&table, 0)) == 4095, "a name is cut");
	check(table_bytes(&table) < 8192, "it takes little memory");
	table_free(&table);

	draft_begin(&draft, BASE, 10000);
	for (unsigned int i = 0; i < 10000; i++)
		add(&draft, i * 8, 8, 0x100000, ALL, "f");
	check(draft.overflow, "the ceiling is noticed");
	check(draft.count * 22 <= 10000, "and kept");
	draft_drop(&draft);

	draft_begin(&draft, BASE, 10000);
	draft_finish(&draft, &table);
	check_string(find(&table, 0), NULL, "an empty table");
	check_number(table_bytes(&table), 0, "takes nothing");
	table_free(&table);
}

/* Random sized symbols: the one that starts last of those that cover the address. */
static void random_tables(void)
{
	unsigned int seed = 12345, wrong = 0;

	for (unsigned int round = 0; round < 300; round++) {
		uint32_t starts[40], sizes[40];
		char names[40][8];
		struct draft draft;
		struct table table;

		draft_begin(&draft, BASE, 1 << 20);
		for (unsigned int i = 0; i < 40; i++) {
			starts[i] = ((uint32_t)rand_r(&seed) % 20) * 40 + i;	/* all differ */
			sizes[i] = 1 + (uint32_t)rand_r(&seed) % 200;
			snprintf(names[i], sizeof(names[i]), "f%u", i);
			add(&draft, starts[i], sizes[i], 0x1000, ALL, names[i]);
		}
		draft_finish(&draft, &table);
		for (uint32_t at = 0; at < 1100; at++) {
			const char *wanted = NULL;
			uint32_t best = 0;

			for (unsigned int i = 0; i < 40; i++) {
				if (at < starts[i] || at - starts[i] >= sizes[i] || (wanted && starts[i] < best))
					continue;
				best = starts[i];
				wanted = names[i];
			}
			wrong += !check_same(find(&table, at), wanted);
		}
		table_free(&table);
	}
	check_number(wrong, 0, "330 000 look-ups in random tables are as in an exhaustive search");
}

#define NESTED	60000U

/* Many that nest and end at once, one that covers all, and many labels in that, which are left out: nobody can make that take long. */
static void many_ended(void)
{
	clock_t began = clock();
	struct draft draft;
	struct table table;

	draft_begin(&draft, BASE, 32 << 20);
	add(&draft, 0, 4 * NESTED, 8 * NESTED, ALL, "all");
	for (unsigned int i = 1; i <= NESTED; i++)
		add(&draft, i, NESTED + 1 - i, 8 * NESTED, ALL, "nested");
	for (unsigned int i = 1; i <= NESTED; i++)
		add(&draft, NESTED + i, 0, 8 * NESTED, ALL, "label");
	draft_finish(&draft, &table);
	check_number(table.count, NESTED + 1, "labels in a function are left out, behind those that ended in it, too");
	check((clock() - began) / CLOCKS_PER_SEC < 3, "each that ended is passed over once: %.2f s", (double)(clock() - began) / CLOCKS_PER_SEC);
	table_free(&table);
}

int main(void)
{
	aliases();
	folded();
	extents();
	bounds();
	random_tables();
	many_ended();
	return check_end();
}
