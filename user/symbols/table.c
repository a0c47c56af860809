// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbols nest (a label within a function, a function within an assembly block) and overlap. The innermost that covers
 * an address names it. Each entry knows the nearest one before it that reaches over its start: these links are all that
 * a look-up needs to step outwards, so nothing is split and nothing is searched twice.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/table.h"

#define NAME_BYTES_MOST	4095
#define HASH_BYTES	20	/* "17h0123456789abcdefE", at the end of Rust's older names */
#define NESTING_MOST	64	/* links a look-up follows; real files nest two or three deep */

struct draft_entry {
	uint32_t start, bytes, most, name;
	uint32_t rank;			/* lower is better */
};

void draft_begin(struct draft *draft, uint64_t base, size_t most_bytes)
{
	*draft = (struct draft){ .base = base, .most_bytes = most_bytes };
}

static bool has_prefix(const char *name, size_t bytes, const char *prefix)
{
	size_t prefix_bytes = strlen(prefix);

	return bytes >= prefix_bytes && !memcmp(name, prefix, prefix_bytes);
}

static bool has_suffix(const char *name, size_t bytes, const char *suffix)
{
	size_t suffix_bytes = strlen(suffix);

	return bytes >= suffix_bytes && !memcmp(name + bytes - suffix_bytes, suffix, suffix_bytes);
}

/*
 * Linker scripts mark where sections begin and end; such a name says nothing about the function that happens to be
 * first.
 */
static bool is_marker(const char *name, size_t bytes)
{
	return has_suffix(name, bytes, "_text") || has_suffix(name, bytes, "inittext") ||
	       (has_prefix(name, bytes, "__") &&
		(has_suffix(name, bytes, "_start") || has_suffix(name, bytes, "_end") ||
		 has_suffix(name, bytes, "_begin")));
}

/*
 * Aliases are told apart first by what the table says of them, then by their look: "write" is what people call
 * "__write", whichever of them is the strong one. Most significant first: size, type, marker, public, underscores,
 * strong, length.
 */
static uint32_t rank_of(const struct symbol *symbol, const char *name, size_t bytes)
{
	uint32_t underscores = 0;

	if (!name)
		return UINT32_MAX;
	while (underscores < bytes && underscores < 15 && name[underscores] == '_')
		underscores++;
	return (symbol->bytes ? 0 : 1U << 24) | (symbol->rank & SYMBOL_TYPED ? 0 : 1U << 23) |
	       (is_marker(name, bytes) ? 1U << 22 : 0) | (symbol->rank & SYMBOL_PUBLIC ? 0 : 1U << 21) |
	       underscores << 17 | (symbol->rank & SYMBOL_STRONG ? 0 : 1U << 16) | (uint32_t)bytes;
}

/* Doubles what an array can hold, within what the draft may take in all. */
static bool make_room(struct draft *draft, size_t names)
{
	size_t bytes = (draft->count + 1) * sizeof(*draft->entries) + draft->name_bytes + names;

	if (bytes > draft->most_bytes || draft->name_bytes + names >= UINT32_MAX) {
		draft->overflow = true;
		return false;
	}
	if (draft->count == draft->capacity) {
		draft->capacity = draft->capacity ? draft->capacity * 2 : 256;
		draft->entries = memory_resized(draft->entries, draft->capacity, sizeof(*draft->entries));
	}
	if (draft->name_bytes + names > draft->name_capacity) {
		draft->name_capacity = draft->name_capacity * 2 + names + 4096;
		draft->names = memory_resized(draft->names, draft->name_capacity, 1);
	}
	return true;
}

void draft_add(struct draft *draft, const struct symbol *symbol, const char *name, size_t name_bytes)
{
	uint64_t most = symbol->end > symbol->start ? symbol->end - symbol->start : 0;
	uint64_t start = symbol->start - draft->base;
	struct draft_entry *entry;

	if (symbol->start < draft->base || start > UINT32_MAX || (name && (!most || !name_bytes)))
		return;
	if (most > UINT32_MAX - start)
		most = UINT32_MAX - start;
	if (most > INT32_MAX)
		most = INT32_MAX;	/* the bit above is TABLE_FOLDED */
	if (name_bytes > NAME_BYTES_MOST)
		name_bytes = NAME_BYTES_MOST;
	if (!make_room(draft, name_bytes + 1))
		return;
	entry = &draft->entries[draft->count++];
	*entry = (struct draft_entry){
		.start = (uint32_t)start,
		.bytes = (uint32_t)(symbol->bytes < most ? symbol->bytes : most),
		.most = (uint32_t)most,
		.name = TABLE_NAMELESS,
		.rank = rank_of(symbol, name, name_bytes),
	};
	if (name) {
		entry->name = (uint32_t)draft->name_bytes;
		memcpy(draft->names + draft->name_bytes, name, name_bytes);
		draft->names[draft->name_bytes + name_bytes] = '\0';
		draft->name_bytes += name_bytes + 1;
	}
}

static int by_start(const void *a, const void *b, void *names)
{
	const struct draft_entry *one = a, *other = b;

	if (one->start != other->start)
		return one->start < other->start ? -1 : 1;
	if (one->rank != other->rank)
		return one->rank < other->rank ? -1 : 1;
	if (one->name == TABLE_NAMELESS)
		return 0;
	return strcmp((char *)names + one->name, (char *)names + other->name);
}

static void sort(struct draft *draft)
{
	size_t i;

	for (i = 1; i < draft->count; i++)
		if (by_start(&draft->entries[i - 1], &draft->entries[i], draft->names) > 0)
			break;
	if (i < draft->count)
		qsort_r(draft->entries, draft->count, sizeof(*draft->entries), by_start, draft->names);
}

static uint64_t entry_end(const struct table_entry *entry)
{
	return (uint64_t)entry->start + (entry->bytes & ~TABLE_FOLDED);
}

/*
 * The nearest entry that reaches over start, beginning with the innermost one that reached over what came before. What is passed over
 * here ends too early for all later ones: so each is passed over once, however many nest, and however many are left out behind them.
 */
static uint32_t find_outer(const struct table *table, uint32_t innermost, uint32_t start)
{
	uint32_t outer = innermost;

	while (outer != TABLE_NO_OUTER && entry_end(&table->entries[outer]) <= start)
		outer = table->entries[outer].outer;
	return outer;
}

static bool is_mangled(const char *name)
{
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

/* Names of one function: "foo" and "foo.part.0", a constructor's variants C1 and C2, two hashes of Rust. */
static bool is_alias(const char *name, const char *other)
{
	size_t bytes = strlen(name), other_bytes = strlen(other), shorter = bytes < other_bytes ? bytes : other_bytes;
	size_t same = 0;

	if (bytes == other_bytes && bytes > HASH_BYTES && name[bytes - 1] == 'E' &&
	    !memcmp(name + bytes - HASH_BYTES, "17h", 3) && !memcmp(name, other, bytes - HASH_BYTES + 3))
		return true;
	while (same < shorter && (name[same] == other[same] ||
				  (same && (name[same - 1] == 'C' || name[same - 1] == 'D') && name[same] >= '0' &&
				   name[same] <= '5' && other[same] >= '0' && other[same] <= '5')))
		same++;
	return same == shorter && (bytes == other_bytes || (bytes > same ? name : other)[same] == '.');
}

static bool is_folded(const struct draft *draft, const struct draft_entry *best, const struct draft_entry *other)
{
	const char *name = draft->names + best->name, *other_name = draft->names + other->name;

	return best->bytes && best->bytes == other->bytes && best->name != TABLE_NAMELESS &&
	       other->name != TABLE_NAMELESS && is_mangled(name) && is_mangled(other_name) &&
	       !is_alias(name, other_name);
}

/*
 * Takes the best symbol of each address, and of those without a size only what no other covers: the others are labels
 * in it.
 */
static void select_entries(const struct draft *draft, struct table *table)
{
	const struct draft_entry *best = NULL;
	uint32_t innermost = TABLE_NO_OUTER;

	for (size_t i = 0; i < draft->count; i++) {
		const struct draft_entry *from = &draft->entries[i];
		struct table_entry *last = table->count ? &table->entries[table->count - 1] : NULL;
		struct table_entry *to;
		uint32_t outer, bytes = from->bytes;
		size_t next;

		if (last && last->start == from->start) {
			if (is_folded(draft, best, from))
				last->bytes |= TABLE_FOLDED;
			continue;
		}
		outer = find_outer(table, innermost, from->start);
		innermost = outer;
		if (!bytes && from->name != TABLE_NAMELESS) {
			if (outer != TABLE_NO_OUTER)
				continue;
			for (next = i + 1; next < draft->count && draft->entries[next].start == from->start; next++)
				;
			bytes = from->most;
			if (next < draft->count && draft->entries[next].start - from->start < bytes)
				bytes = draft->entries[next].start - from->start;
		}
		best = from;
		innermost = (uint32_t)table->count;
		to = &table->entries[table->count++];
		*to = (struct table_entry){ .start = from->start, .bytes = bytes, .name = from->name, .outer = outer };
	}
}

/* Copies the names that are still wanted, in the order of addresses, so that neighbours share cache lines and pages. */
static void copy_names(const struct draft *draft, struct table *table)
{
	size_t bytes = 0;

	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].name != TABLE_NAMELESS)
			bytes += strlen(draft->names + table->entries[i].name) + 1;
	table->names = memory_resized(NULL, bytes, 1);
	for (size_t i = 0; i < table->count; i++) {
		struct table_entry *entry = &table->entries[i];

		if (entry->name != TABLE_NAMELESS) {
			size_t length = strlen(draft->names + entry->name) + 1;

			memcpy(table->names + table->name_bytes, draft->names + entry->name, length);
			entry->name = (uint32_t)table->name_bytes;
			table->name_bytes += length;
		}
	}
}

void draft_finish(struct draft *draft, struct table *table)
{
	*table = (struct table){ .base = draft->base };
	if (draft->count) {
		sort(draft);
		table->entries = memory_resized(NULL, draft->count, sizeof(*table->entries));
		select_entries(draft, table);
		table->entries = memory_resized(table->entries, table->count, sizeof(*table->entries));
		copy_names(draft, table);
	}
	draft_drop(draft);
}

void draft_drop(struct draft *draft)
{
	free(draft->entries);
	free(draft->names);
	*draft = (struct draft){ 0 };
}

static const struct table_entry *find(const struct table *table, uint64_t address)
{
	size_t low = 0, high = table->count;
	uint64_t at = address - table->base;
	uint32_t index;

	if (address < table->base || at > UINT32_MAX)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->entries[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	index = low ? (uint32_t)low - 1 : TABLE_NO_OUTER;
	for (unsigned int steps = 0; index != TABLE_NO_OUTER && steps < NESTING_MOST; steps++) {
		const struct table_entry *entry = &table->entries[index];

		if (at < entry_end(entry) && entry->name != TABLE_NAMELESS)
			return entry;
		index = entry->outer;
	}
	return NULL;
}

const char *table_find(const struct table *table, uint64_t address, uint64_t *start)
{
	const struct table_entry *entry = find(table, address);

	if (!entry)
		return NULL;
	*start = table->base + entry->start;
	return table->names + entry->name;
}

bool table_is_folded(const struct table *table, uint64_t address)
{
	const struct table_entry *entry = find(table, address);

	return entry && entry->bytes & TABLE_FOLDED;
}

size_t table_bytes(const struct table *table)
{
	return table->count * sizeof(*table->entries) + table->name_bytes;
}

void table_free(struct table *table)
{
	free(table->entries);
	free(table->names);
	*table = (struct table){ 0 };
}
