// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/categories.h"
#include "classify/topics.h"
#include "classify/wait.h"
#include "export/inclusive.h"
#include "export/label.h"
#include "export/table.h"

#define ROWS_MOST		15
#define NAME_COLUMNS		(TABLE_COLUMNS - 44)

struct line {
	const char *name;		/* interned */
	uint64_t self, inclusive;	/* ns */
};

/* Lines by name, and for categories by number. */
struct lines {
	struct line *list;
	size_t count;
	struct map by_name;		/* -> struct line */
};

static struct line *line_of(struct lines *lines, const char *name)
{
	struct line *line = map_get(&lines->by_name, (uintptr_t)name);

	if (!line) {
		line = &lines->list[lines->count++];
		line->name = name;
		map_put(&lines->by_name, (uintptr_t)name, line);
	}
	return line;
}

/* What ran, and what was waited for but for work. */
static bool counts(const char *cause)
{
	return !cause || !wait_is_idle(cause);
}

/* Topics are added up from the rows, in ns. */
static uint64_t *sum_topics(const struct profile *profile, const struct profile_source *source)
{
	uint64_t *weights = memory_zeroed(topics_count(profile->topics), sizeof(*weights));
	size_t count;
	struct topic_row **rows = topic_tally_rows(source->topics, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; counts(rows[i]->cause) && j < rows[i]->set->count; j++)
			weights[rows[i]->set->numbers[j]] += rows[i]->weight;
	}
	return weights;
}

/* Of an area, and of all that it is part of. */
static void add_self(struct lines *areas, const char *area, uint64_t weight)
{
	for (size_t end = strlen(area); end; end--) {
		struct line *line;

		if (area[end] && (area[end] != '/' || strncmp(area, "kernel/", strlen("kernel/"))))
			continue;
		line = map_get(&areas->by_name, (uintptr_t)intern_bytes(area, end));
		if (line)
			line->self += weight;
	}
}

static int compare_lines(const void *a_place, const void *b_place)
{
	const struct line *a = a_place, *b = b_place;

	if (a->inclusive != b->inclusive)
		return a->inclusive > b->inclusive ? -1 : 1;
	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void write_lines(struct buffer *text, struct lines *lines, uint64_t total, const char *title)
{
	qsort(lines->list, lines->count, sizeof(*lines->list), compare_lines);
	for (size_t i = 0; i < lines->count && i < ROWS_MOST; i++) {
		const struct line *line = &lines->list[i];

		if (!line->self && !line->inclusive)
			break;
		if (!i)
			buffer_format(text, "\n%12s  %7s  %10s  %7s  %s\n", "self seconds", "share", "inclusive", "share", title);
		buffer_format(text, "%12.2f  %5.1f %%  %10.2f  %5.1f %%  ", (double)line->self / 1e9, table_percent(line->self, total),
			      (double)line->inclusive / 1e9, table_percent(line->inclusive, total));
		label_padded(text, line->name, NAME_COLUMNS);
		while (text->data[text->bytes - 1] == ' ')
			text->data[--text->bytes] = '\0';
		buffer_string(text, "\n");
	}
}

static const char *label_of(const struct profile *profile, const struct topic *topic)
{
	return categories_get(topics_categories(profile->topics), topic->category)->label;
}

void inclusive_write(struct buffer *text, const struct profile *profile, uint32_t which)
{
	const struct profile_source *source = profile_source(profile, which);
	size_t topic_count = profile->topics ? topics_count(profile->topics) : 0, row_count;
	struct tally_row **rows = tally_rows(source->tally, &row_count);
	struct lines areas = { 0 }, categories = { 0 };
	uint64_t *weights, total = 0;

	if (!topic_count)
		return;
	weights = sum_topics(profile, source);
	areas.list = memory_zeroed(topic_count, sizeof(*areas.list));
	categories.list = memory_zeroed(topic_count, sizeof(*categories.list));
	for (size_t i = 0; i < topic_count; i++) {
		const struct topic *topic = topics_get(profile->topics, (uint32_t)i);

		if (!topic->name)
			continue;
		if (topic->kind == TOPIC_AREA)
			line_of(&areas, topic->name)->inclusive += weights[i];
		else if (topic->kind == TOPIC_SELF)
			line_of(&categories, label_of(profile, topic))->self += weights[i];
		else
			line_of(&categories, label_of(profile, topic))->inclusive += weights[i];
	}
	for (size_t i = 0; i < row_count; i++) {
		if (!counts(rows[i]->class.cause))
			continue;
		total += rows[i]->weight;
		if (rows[i]->class.area)
			add_self(&areas, rows[i]->class.area, rows[i]->weight);
	}
	write_lines(text, &categories, total, which == KTALLY_SOURCE_OFFCPU ? "WAITS OF CATEGORIES" : "CATEGORIES");
	write_lines(text, &areas, total, which == KTALLY_SOURCE_OFFCPU ? "WAITS IN AREAS, LIBRARIES, PROGRAMS" : "AREAS, LIBRARIES, PROGRAMS");
	map_free(&areas.by_name);
	map_free(&categories.by_name);
	free(areas.list);
	free(categories.list);
	free(weights);
}
