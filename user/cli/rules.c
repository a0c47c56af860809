// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/automaton.h"
#include "classify/rules.h"
#include "classify/wait_rules.h"
#include "cli/rules.h"
#include "export/label.h"

#define COLUMNS		110
#define NAME_MOST	512	/* bytes of a function's name that are looked at */

struct pattern {
	const char *text;		/* interned */
	const char *group;		/* interned: the area, the cause */
	bool is_wait;
	bool matched;
};

struct patterns {
	struct pattern *list;
	size_t count;
	struct automaton *automaton;
};

static void add(struct patterns *patterns, const char *text, const char *group, bool is_wait)
{
	static const char spaces[] = " \t\n";

	for (text += strspn(text, spaces); *text; text += strspn(text, spaces)) {
		size_t bytes = strcspn(text, spaces);

		if ((patterns->count & (patterns->count - 1)) == 0)
			patterns->list = memory_resized(patterns->list, patterns->count ? patterns->count * 2 : 1, sizeof(*patterns->list));
		patterns->list[patterns->count] = (struct pattern){ intern_bytes(text, bytes), group, is_wait, false };
		automaton_add_pattern(patterns->automaton, patterns->list[patterns->count].text, (unsigned int)patterns->count);
		patterns->count++;
		text += bytes;
	}
}

static void take(void *context, unsigned int number)
{
	((struct patterns *)context)->list[number].matched = true;
}

/* Lines of "ADDRESS TYPE NAME", and a module behind that. Returns how many functions there are. */
static size_t match_names(struct patterns *patterns, const char *kallsyms, size_t bytes)
{
	size_t functions = 0;

	for (const char *line = kallsyms, *end = kallsyms + bytes, *next; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line)), *type = memchr(line, ' ', (size_t)(end - line));
		char name[NAME_MOST];
		size_t length;

		stop = stop ? stop : end;
		next = stop + 1;
		if (!type || type == line || stop - type < 4 || type[2] != ' ' || !strchr("tTwW", type[1]))
			continue;
		length = (size_t)(stop - type - 3);
		length = length < sizeof(name) ? length : sizeof(name) - 1;
		memcpy(name, type + 3, length);
		name[length] = '\0';
		name[strcspn(name, " \t")] = '\0';
		automaton_match(patterns->automaton, name, take, patterns);
		functions++;
	}
	return functions;
}

static int compare(const void *a_place, const void *b_place)
{
	const struct pattern *a = a_place, *b = b_place;
	int difference = (int)a->is_wait - (int)b->is_wait;

	if (!difference)
		difference = strcmp(a->group, b->group);
	return difference ? difference : strcmp(a->text, b->text);
}

/* Patterns of one group. Returns whether none matched. */
static bool write_group(struct buffer *text, const struct pattern *patterns, size_t count)
{
	size_t idle = 0, column = COLUMNS;

	for (size_t i = 0; i < count; i++)
		idle += !patterns[i].matched;
	if (!idle)
		return false;
	buffer_string(text, idle == count ? "!!  " : "    ");
	label_padded(text, patterns->group, 28);
	buffer_format(text, "%4zu of %zu", idle, count);
	for (size_t i = 0; i < count; i++) {
		size_t bytes = strlen(patterns[i].text);

		if (patterns[i].matched)
			continue;
		if (column + 1 + bytes > COLUMNS) {
			buffer_string(text, "\n       ");
			column = 7;
		}
		buffer_format(text, " %s", patterns[i].text);
		column += 1 + bytes;
	}
	buffer_string(text, "\n");
	return idle == count;
}

static void add_all(struct patterns *patterns)
{
	for (unsigned int i = 0; i < rules_count; i++)
		add(patterns, rules[i].patterns, rules[i].area == AREA_OTHER && rules[i].connector ? intern("(the connector's only)") :
		    area_name(rules[i].area, rules[i].direction), false);
	for (const struct wait_rules *rule = wait_kernel_rules; rule->patterns; rule++)
		add(patterns, rule->patterns, wait_rule_name(rule->says), true);
	automaton_compile(patterns->automaton);
}

size_t rules_write(struct buffer *text, const char *kallsyms, size_t bytes)
{
	struct patterns patterns = { .automaton = automaton_create() };
	size_t functions, idle = 0, without = 0, group;
	bool waits = false;

	add_all(&patterns);
	functions = match_names(&patterns, kallsyms, bytes);
	for (size_t i = 0; i < patterns.count; i++)
		idle += !patterns.list[i].matched;
	buffer_format(text, "%zu of %zu patterns of the built-in rules match none of the %zu functions of this kernel and its modules.\n",
		      idle, patterns.count, functions);
	buffer_string(text, "Some are for other releases, or for modules that are not loaded; \"!!\" is where none matches.\n\nAREAS\n");
	qsort(patterns.list, patterns.count, sizeof(*patterns.list), compare);
	for (size_t i = 0; i < patterns.count; i += group) {
		for (group = 1; i + group < patterns.count && patterns.list[i + group].group == patterns.list[i].group &&
		     patterns.list[i + group].is_wait == patterns.list[i].is_wait;)
			group++;
		if (patterns.list[i].is_wait && !waits)
			buffer_string(text, "\nCAUSES OF WAITS\n");
		waits = patterns.list[i].is_wait;
		without += write_group(text, patterns.list + i, group);
	}
	automaton_destroy(patterns.automaton);
	free(patterns.list);
	return without;
}
