// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inclusive time and categories as data points. A row of the topics' tally stands for all topics of its set, so rows of a resource and cause
 * are added up in an array with a number for each topic.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/topics.h"
#include "classify/wait.h"
#include "export/metrics.h"

enum sum {
	CPU_AREA, OFFCPU_AREA, CPU_CATEGORY, OFFCPU_CATEGORY, SUMS,
};

static const struct {
	const char *name, *description;
} sums[SUMS] = {
	[CPU_AREA] = { "ktally.cpu.inclusive_time", "CPU time with the area anywhere in the stack" },
	[OFFCPU_AREA] = { "ktally.offcpu.inclusive_time", "Time waited, not for work, with the area anywhere in the stack" },
	[CPU_CATEGORY] = { "ktally.category.time", "CPU time of the category" },
	[OFFCPU_CATEGORY] = { "ktally.category.offcpu.time", "Time waited of the category" },
};

struct item {
	const struct topic_row *row;
	Otlp__ScopeMetrics *scope;
	uint64_t weight;		/* that is new */
};

/* Nanoseconds of each topic, and which have any. */
struct totals {
	uint64_t *weights;
	uint32_t *numbers;
	size_t count;
};

struct writer {
	struct metrics *metrics;
	const struct topics *topics;
	Otlp__Sum *sums[SUMS];		/* of the scope, once there are points; NULL */
	struct totals totals, busy;	/* of one cause, and of all that are not idle */
};

static Otlp__Sum *sum_of(struct writer *writer, Otlp__ScopeMetrics *scope, enum sum which)
{
	if (!writer->sums[which])
		writer->sums[which] = metrics_add_sum(writer->metrics, scope, sums[which].name, "s", sums[which].description);
	return writer->sums[which];
}

static void add_total(struct totals *totals, uint32_t number, uint64_t weight)
{
	if (!totals->weights[number])
		totals->numbers[totals->count++] = number;
	totals->weights[number] += weight;
}

static void add_item(struct totals *totals, const struct item *item)
{
	for (size_t i = 0; i < item->row->set->count; i++)
		add_total(totals, item->row->set->numbers[i], item->weight);
}

static int compare_numbers(const void *a_place, const void *b_place)
{
	uint32_t a = *(const uint32_t *)a_place, b = *(const uint32_t *)b_place;

	return a < b ? -1 : a > b;
}

static void add_area_point(struct writer *writer, Otlp__ScopeMetrics *scope, enum sum which, const struct topic *topic, uint64_t weight)
{
	const struct metrics_attribute area = { "ktally.area", topic->name };

	metrics_set_seconds(metrics_add_point(writer->metrics, sum_of(writer, scope, which), &area, 1), weight);
}

static void add_category_point(struct writer *writer, Otlp__ScopeMetrics *scope, const struct topic *topic, const char *cause,
			       uint64_t weight)
{
	const struct metrics_attribute attributes[] = {
		{ "ktally.category", topic->name },
		{ "ktally.mode", topic->kind == TOPIC_SELF ? "self" : "inclusive" },
		{ "ktally.cause", cause },
	};
	Otlp__Sum *sum = sum_of(writer, scope, cause ? OFFCPU_CATEGORY : CPU_CATEGORY);

	metrics_set_seconds(metrics_add_point(writer->metrics, sum, attributes, cause ? 3 : 2), weight);
}

/* In the order of the topics, which is that of the configuration. */
static void begin_totals(struct totals *totals)
{
	qsort(totals->numbers, totals->count, sizeof(*totals->numbers), compare_numbers);
}

static void end_totals(struct totals *totals)
{
	for (size_t i = 0; i < totals->count; i++)
		totals->weights[totals->numbers[i]] = 0;
	totals->count = 0;
}

static void write_cause(struct writer *writer, Otlp__ScopeMetrics *scope, const char *cause)
{
	struct totals *totals = &writer->totals;

	begin_totals(totals);
	for (size_t i = 0; i < totals->count; i++) {
		const struct topic *topic = topics_get(writer->topics, totals->numbers[i]);
		uint64_t weight = totals->weights[totals->numbers[i]];

		if (topic->kind != TOPIC_AREA)
			add_category_point(writer, scope, topic, cause, weight);
		else if (!cause)
			add_area_point(writer, scope, CPU_AREA, topic, weight);
		else if (!wait_is_idle(cause))
			add_total(&writer->busy, totals->numbers[i], weight);
	}
	end_totals(totals);
}

static void write_busy_waits(struct writer *writer, Otlp__ScopeMetrics *scope)
{
	struct totals *busy = &writer->busy;

	begin_totals(busy);
	for (size_t i = 0; i < busy->count; i++)
		add_area_point(writer, scope, OFFCPU_AREA, topics_get(writer->topics, busy->numbers[i]), busy->weights[busy->numbers[i]]);
	end_totals(busy);
}

/* By resource, and by cause in each: what ran has none, and goes first. */
static int compare_items(const void *a_place, const void *b_place)
{
	const struct item *a = a_place, *b = b_place;

	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	if (a->row->cause == b->row->cause)
		return 0;
	if (!a->row->cause || !b->row->cause)
		return a->row->cause ? 1 : -1;
	return strcmp(a->row->cause, b->row->cause);
}

/* Time past a cap: that of the tally mostly goes where the time of classes is, that of the topics' tally may have no resource yet. */
static Otlp__ScopeMetrics *scope_of(struct metrics *metrics, const struct export_host *host, struct metrics_scopes *scopes,
				    const struct owner *owner)
{
	Otlp__ScopeMetrics *scope = map_get(&scopes->by_owner, (uintptr_t)owner);

	if (!scope)
		scope = scopes->other;
	if (!scope) {
		scope = metrics_add_resource(metrics, host, owner);
		map_put(&scopes->by_owner, (uintptr_t)owner, scope);
	}
	return scope;
}

static size_t add_items(struct metrics *metrics, const struct topic_tally *tally, const struct export_host *host,
			struct metrics_scopes *scopes, struct item *items)
{
	size_t row_count, count = 0;
	struct topic_row **rows = topic_tally_rows(tally, &row_count);

	for (size_t i = 0; i < row_count; i++) {
		const struct topic_row *row = rows[i];
		struct item item = { .row = row, .weight = row->weight - (metrics->everything ? 0 : row->weight_exported) };

		if (!item.weight)
			continue;
		item.scope = scope_of(metrics, host, scopes, row->owner);
		items[count++] = item;
	}
	return count;
}

static void write_items(struct writer *writer, const struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Otlp__ScopeMetrics *scope = items[i].scope;
		bool last_of_scope = i + 1 == count || items[i + 1].scope != scope;

		add_item(&writer->totals, &items[i]);
		if (last_of_scope || items[i + 1].row->cause != items[i].row->cause)
			write_cause(writer, scope, items[i].row->cause);
		if (last_of_scope) {
			write_busy_waits(writer, scope);
			memset(writer->sums, 0, sizeof(writer->sums));
		}
	}
}

void metrics_add_topics(struct metrics *metrics, const struct profile *profile, const struct export_host *host,
			struct metrics_scopes *scopes)
{
	struct writer writer = { .metrics = metrics, .topics = profile->topics };
	size_t room = profile->topics ? topics_count(profile->topics) : 0, oncpu, offcpu, count;
	struct item *items;

	if (!room)
		return;
	topic_tally_rows(profile->oncpu.topics, &oncpu);
	topic_tally_rows(profile->offcpu.topics, &offcpu);
	items = memory_zeroed(oncpu + offcpu + 1, sizeof(*items));
	count = add_items(metrics, profile->oncpu.topics, host, scopes, items);
	count += add_items(metrics, profile->offcpu.topics, host, scopes, items + count);
	qsort(items, count, sizeof(*items), compare_items);
	writer.totals = (struct totals){ memory_zeroed(room, sizeof(uint64_t)), memory_zeroed(room, sizeof(uint32_t)), 0 };
	writer.busy = (struct totals){ memory_zeroed(room, sizeof(uint64_t)), memory_zeroed(room, sizeof(uint32_t)), 0 };
	write_items(&writer, items, count);
	free(writer.totals.weights);
	free(writer.totals.numbers);
	free(writer.busy.weights);
	free(writer.busy.numbers);
	free(items);
}

static void mark(const struct topic_tally *tally)
{
	size_t count;
	struct topic_row **rows = topic_tally_rows(tally, &count);

	for (size_t i = 0; i < count; i++)
		rows[i]->weight_exported = rows[i]->weight;
}

void metrics_mark_topics(struct profile *profile)
{
	if (!profile->topics)
		return;
	mark(profile->oncpu.topics);
	mark(profile->offcpu.topics);
}
