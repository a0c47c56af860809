// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kallsyms gives no sizes: a function ends where the next one starts. So the ends matter: those of the parts of the
 * kernel's text are marked, by _etext and others, and between two modules lies memory that belongs to neither.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "symbols/kallsyms.h"
#include "symbols/printable.h"

#define BYTES_MOST		(256U << 20)	/* for the table of a hostile capture; real ones take 3 MiB */
#define KERNEL_FUNCTION_MOST	(1U << 20)	/* reach of a function that nothing follows */
#define MODULE_FUNCTION_MOST	(64U << 10)

struct kallsyms_range {
	uint64_t start;
	const char *object;
};

struct line {
	uint64_t address;
	char type;
	const char *name, *module;	/* in the text, not zero-terminated */
	size_t name_bytes, module_bytes;
};

static bool is_hex(char c, unsigned int *digit)
{
	if (c >= '0' && c <= '9')
		*digit = (unsigned int)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*digit = (unsigned int)(c - 'a' + 10);
	else
		return false;
	return true;
}

/* "ffffffffc0a01000 t name\t[module]" */
static bool parse_line(const char *at, const char *end, struct line *line)
{
	unsigned int digit, digits = 0;

	*line = (struct line){ 0 };
	for (; at < end && is_hex(*at, &digit) && digits < 17; at++, digits++)
		line->address = line->address << 4 | digit;
	if (!digits || digits > 16 || end - at < 4 || at[0] != ' ' || at[2] != ' ')
		return false;
	line->type = at[1];
	at += 3;
	line->name = at;
	while (at < end && *at != '\t' && *at != ' ')
		at++;
	line->name_bytes = (size_t)(at - line->name);
	while (at < end && (*at == '\t' || *at == ' '))
		at++;
	if (at < end && *at == '[') {
		line->module = at;
		line->module_bytes = (size_t)(end - at);
	}
	return line->name_bytes > 0;
}

static bool next_line(const char **at, const char *end, struct line *line)
{
	while (*at < end) {
		const char *newline = memchr(*at, '\n', (size_t)(end - *at));
		const char *line_end = newline ? newline : end;
		bool good = parse_line(*at, line_end, line);

		*at = newline ? newline + 1 : end;
		if (good && strchr("tTwW", line->type))
			return true;
	}
	return false;
}

static bool is_named(const struct line *line, const char *name)
{
	return line->name_bytes == strlen(name) && !memcmp(line->name, name, line->name_bytes);
}

static bool starts_with(const struct line *line, const char *prefix)
{
	return line->name_bytes > strlen(prefix) && !memcmp(line->name, prefix, strlen(prefix));
}

static int by_start(const void *a, const void *b)
{
	const struct kallsyms_range *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/* Names are in the table; of the owners only the changes are kept. */
static void merge_ranges(struct kallsyms *kallsyms)
{
	size_t kept = 0;

	qsort(kallsyms->ranges, kallsyms->range_count, sizeof(*kallsyms->ranges), by_start);
	for (size_t i = 0; i < kallsyms->range_count; i++)
		if (!kept || kallsyms->ranges[kept - 1].object != kallsyms->ranges[i].object)
			kallsyms->ranges[kept++] = kallsyms->ranges[i];
	kallsyms->ranges = memory_resized(kallsyms->ranges, kept, sizeof(*kallsyms->ranges));
	kallsyms->range_count = kept;
}

/* No function is called like the ends of sections; where one of these stands alone, nothing follows that has a name. */
static bool is_boundary(const struct line *line)
{
	static const char suffix[] = "_text_end";
	size_t bytes = sizeof(suffix) - 1;

	return !line->module &&
	       (is_named(line, "_etext") || is_named(line, "_einittext") ||
		(line->name_bytes > bytes && !memcmp(line->name + line->name_bytes - bytes, suffix, bytes)));
}

static void add(struct kallsyms *kallsyms, struct draft *draft, const struct line *line, const char *object)
{
	struct symbol symbol = { .start = line->address, .rank = SYMBOL_TYPED };
	bool boundary = is_boundary(line);
	char name[512];
	size_t bytes = line->name_bytes < sizeof(name) ? line->name_bytes : sizeof(name);

	if (line->type != 't')
		symbol.rank |= SYMBOL_PUBLIC;
	if (line->type == 'T')
		symbol.rank |= SYMBOL_STRONG;
	symbol.end = line->address + (line->module ? MODULE_FUNCTION_MOST : KERNEL_FUNCTION_MOST);
	if (symbol.end < symbol.start)
		symbol.end = UINT64_MAX;
	memcpy(name, line->name, bytes);
	printable(name, bytes);
	draft_add(draft, &symbol, boundary ? NULL : name, boundary ? 0 : bytes);
	kallsyms->ranges[kallsyms->range_count++] = (struct kallsyms_range){ .start = line->address, .object = object };
}

/*
 * Addresses that the table can hold: 4 GiB up to the highest. Everything that an x86-64 kernel runs lies in its last
 * two.
 */
static int survey(const char *text, const char *end, uint64_t *base, size_t *count)
{
	uint64_t low = UINT64_MAX, high = 0;
	bool hidden = false;
	struct line line;

	*count = 0;
	while (next_line(&text, end, &line)) {
		if (!line.address) {
			hidden = true;
			continue;
		}
		++*count;
		if (line.address < low)
			low = line.address;
		if (line.address > high)
			high = line.address;
	}
	if (!*count)
		return hidden ? -EPERM : -EBADMSG;
	*base = high - low > UINT32_MAX ? high - UINT32_MAX : low;
	return 0;
}

int kallsyms_parse(struct kallsyms *kallsyms, const char *text, size_t bytes)
{
	const char *end = text + bytes;
	const char *module_text = NULL, *object = NULL;
	size_t module_bytes = 0, count;
	struct draft draft;
	struct line line;
	uint64_t base;
	int error;

	*kallsyms = (struct kallsyms){ 0 };
	error = survey(text, end, &base, &count);
	if (error)
		return error;
	draft_begin(&draft, base, BYTES_MOST);
	kallsyms->ranges = memory_resized(NULL, count, sizeof(*kallsyms->ranges));
	while (next_line(&text, end, &line)) {
		if (!line.address || starts_with(&line, "__pfx_") || starts_with(&line, "__cfi_"))
			continue;
		/* Thousands of lines in a row are of one module. */
		if (!object || line.module_bytes != module_bytes ||
		    (module_bytes && memcmp(line.module, module_text, module_bytes))) {
			module_text = line.module;
			module_bytes = line.module_bytes;
			object = line.module ? intern_printable(module_text, module_bytes) : intern("[kernel]");
		}
		add(kallsyms, &draft, &line, object);
	}
	draft_finish(&draft, &kallsyms->table);
	merge_ranges(kallsyms);
	return 0;
}

void kallsyms_free(struct kallsyms *kallsyms)
{
	table_free(&kallsyms->table);
	free(kallsyms->ranges);
	*kallsyms = (struct kallsyms){ 0 };
}

static size_t range_of(const struct kallsyms *kallsyms, uint64_t address)
{
	size_t low = 0, high = kallsyms->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kallsyms->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;	/* the one after it */
}

const char *kallsyms_find(const struct kallsyms *kallsyms, uint64_t address, uint64_t *start, const char **object)
{
	const char *name = table_find(&kallsyms->table, address, start);
	size_t after = name ? range_of(kallsyms, *start) : 0;

	*object = after ? kallsyms->ranges[after - 1].object : intern("[kernel]");
	return name;
}

bool kallsyms_has(const struct kallsyms *kallsyms, const char *name, bool prefix)
{
	const struct table *table = &kallsyms->table;
	size_t bytes = strlen(name);

	for (size_t i = 0; i < table->count; i++) {
		const struct table_entry *entry = &table->entries[i];

		if (entry->name != TABLE_NAMELESS && !strncmp(table->names + entry->name, name, bytes) &&
		    (prefix || !table->names[entry->name + bytes]))
			return true;
	}
	return false;
}
