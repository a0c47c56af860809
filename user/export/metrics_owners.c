// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rows of the tally as data points. A row is finer than a point: rows that differ only in what a metric does not show
 * are added up, so that a metric has each set of attributes once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "export/metrics.h"

/* What a row has new. */
struct item {
	const struct tally_row *row;
	bool is_wait;
	uint64_t samples, weight;
};

enum value { COUNT, SECONDS };

struct definition {
	const char *name, *unit, *description;
	bool (*includes)(const struct item *item);
	enum value value;
	const char *keys[METRICS_ATTRIBUTES_MOST];
};

static bool is_kernel(const struct tally_row *row)
{
	return row->class.runtime && !strcmp(row->class.runtime, "kernel");
}

static bool is_user(const struct tally_row *row)
{
	return row->class.runtime && !is_kernel(row);
}

static bool is_native(const struct tally_row *row)
{
	return row->class.runtime && !strcmp(row->class.runtime, "native");
}

static bool has_run(const struct item *item)
{
	return !item->is_wait;
}

static bool has_waited(const struct item *item)
{
	return item->is_wait;
}

static bool has_run_kernel(const struct item *item)
{
	return has_run(item) && is_kernel(item->row);
}

static bool has_run_user(const struct item *item)
{
	return has_run(item) && is_user(item->row);
}

static bool has_run_native(const struct item *item)
{
	return has_run(item) && is_native(item->row);
}

static const struct definition definitions[] = {
	{ "samples.user.count", "1", "Samples with the leaf in user space", has_run_user, COUNT, { NULL } },
	{ "samples.kernel.count", "1", "Samples with the leaf in the kernel", has_run_kernel, COUNT,
	  { "kernel_area", "kernel_proto", "kernel_io", "syscall_name" } },
	{ "samples.native.count", "1", "Samples with the leaf in native code", has_run_native, COUNT, { "shlib_name" } },
	{ "ktally.cpu.time", "s", "CPU time", has_run, SECONDS,
	  { "ktally.area", "cpu.mode", "kernel_area", "kernel_proto", "kernel_io", "syscall_name", "ktally.caller" } },
	{ "ktally.offcpu.time", "s", "Time waited", has_waited, SECONDS,
	  { "ktally.cause", "ktally.area", "kernel_area", "kernel_proto", "kernel_io", "syscall_name", "ktally.caller" } },
};

static const char *value_of(const struct tally_row *row, const char *key)
{
	const struct {
		const char *key, *value;
	} values[] = {
		{ "kernel_area", row->class.kernel_area },
		{ "kernel_proto", row->class.kernel_proto },
		{ "kernel_io", row->class.kernel_io },
		{ "syscall_name", is_kernel(row) || row->class.cause ? row->syscall_name : NULL },
		{ "shlib_name", row->class.shlib_name },
		{ "ktally.area", row->class.area },
		{ "ktally.cause", row->class.cause },
		{ "ktally.caller", row->class.caller },
		{ "cpu.mode", is_kernel(row) ? "system" : is_user(row) ? "user" : NULL },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!strcmp(key, values[i].key))
			return values[i].value;
	}
	return NULL;
}

/* No value goes before any. */
static int compare_text(const char *a, const char *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	return strcmp(a, b);
}

/* By the attributes of the definition; by owner when there is none, in an order that people find things in. */
static int compare_items(const void *a, const void *b, void *context)
{
	const struct definition *definition = context;
	const struct item *first = a, *second = b;
	int order = 0;

	if (!definition)
		return owner_compare(first->row->owner, second->row->owner);
	for (size_t i = 0; !order && i < METRICS_ATTRIBUTES_MOST && definition->keys[i]; i++) {
		const char *key = definition->keys[i];

		order = compare_text(value_of(first->row, key), value_of(second->row, key));
	}
	return order;
}

static void sort(struct item *items, size_t count, const struct definition *definition)
{
	qsort_r(items, count, sizeof(*items), compare_items, (void *)definition);
}

/* How many items from the first on are equal to it. */
static size_t equal_items(const struct item *items, size_t count, const struct definition *definition)
{
	size_t equal = 1;

	while (equal < count && !compare_items(&items[0], &items[equal], (void *)definition))
		equal++;
	return equal;
}

static void add_point(struct metrics *metrics, Otlp__Sum *sum, const struct definition *definition,
		      const struct item *items, size_t count)
{
	struct metrics_attribute attributes[METRICS_ATTRIBUTES_MOST];
	uint64_t samples = 0, weight = 0;
	Otlp__NumberDataPoint *point;
	size_t keys;

	for (size_t i = 0; i < count; i++) {
		samples += items[i].samples;
		weight += items[i].weight;
	}
	if (!(definition->value == SECONDS ? weight : samples))
		return;
	for (keys = 0; keys < METRICS_ATTRIBUTES_MOST && definition->keys[keys]; keys++) {
		attributes[keys].key = definition->keys[keys];
		attributes[keys].value = value_of(items->row, definition->keys[keys]);
	}
	point = metrics_add_point(metrics, sum, attributes, keys);
	if (definition->value == SECONDS)
		metrics_set_seconds(point, weight);
	else
		metrics_set_count(point, samples);
}

/* `some` has room for all items. */
static void add_metric(struct metrics *metrics, Otlp__ScopeMetrics *scope, const struct definition *definition,
		       const char *runtime, const struct item *items, size_t count, struct item *some)
{
	Otlp__Sum *sum = metrics_add_sum(metrics, scope, definition->name, definition->unit, definition->description);
	size_t included = 0, equal;

	for (size_t i = 0; i < count; i++) {
		if (runtime ? has_run(&items[i]) && items[i].row->class.runtime == runtime : definition->includes(&items[i]))
			some[included++] = items[i];
	}
	sort(some, included, definition);
	for (size_t i = 0; i < included; i += equal) {
		equal = equal_items(some + i, included - i, definition);
		add_point(metrics, sum, definition, some + i, equal);
	}
}

/* One metric for each runtime that the connector counts apart; native and kernel are among the definitions. */
static void add_runtimes(struct metrics *metrics, Otlp__ScopeMetrics *scope, const struct item *items, size_t count,
			 struct item *some)
{
	for (size_t i = 0; i < count; i++) {
		const char *runtime = items[i].row->class.runtime;
		struct definition definition = { .unit = "1", .value = COUNT };
		char name[64], description[64];
		size_t before = 0;

		if (!has_run_user(&items[i]) || is_native(items[i].row))
			continue;
		while (items[before].is_wait || items[before].row->class.runtime != runtime)
			before++;
		if (before < i)
			continue;
		snprintf(name, sizeof(name), "samples.%s.count", runtime);
		snprintf(description, sizeof(description), "Samples with the leaf in %s", runtime);
		definition.name = name;
		definition.description = description;
		add_metric(metrics, scope, &definition, runtime, items, count, some);
	}
}

static void add_owner(struct metrics *metrics, const struct export_host *host, struct metrics_scopes *scopes, const struct item *items,
		      size_t count)
{
	Otlp__ScopeMetrics *scope = metrics_add_resource(metrics, host, items->row->owner);
	struct item *some = memory_zeroed(count, sizeof(*some));

	map_put(&scopes->by_owner, (uintptr_t)items->row->owner, scope);
	for (size_t i = 0; i < count; i++)
		scopes->other = items[i].row->is_other ? scope : scopes->other;
	for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++)
		add_metric(metrics, scope, &definitions[i], NULL, items, count, some);
	add_runtimes(metrics, scope, items, count, some);
	free(some);
}

/* How many were added. */
static size_t add_items(const struct metrics *metrics, const struct tally *tally, bool is_wait, struct item *items)
{
	size_t row_count, count = 0;
	struct tally_row **rows = tally_rows(tally, &row_count);

	for (size_t i = 0; i < row_count; i++) {
		struct item item = { .row = rows[i], .is_wait = is_wait, .samples = rows[i]->samples, .weight = rows[i]->weight };

		if (!metrics->everything) {
			item.samples -= rows[i]->samples_exported;
			item.weight -= rows[i]->weight_exported;
		}
		if (item.samples || item.weight)
			items[count++] = item;
	}
	return count;
}

void metrics_add_owners(struct metrics *metrics, const struct profile *profile, const struct export_host *host)
{
	size_t oncpu_rows, offcpu_rows, count, equal;
	struct metrics_scopes scopes = { 0 };
	struct item *items;

	tally_rows(profile->oncpu.tally, &oncpu_rows);
	tally_rows(profile->offcpu.tally, &offcpu_rows);
	items = memory_zeroed(oncpu_rows + offcpu_rows + 1, sizeof(*items));
	count = add_items(metrics, profile->oncpu.tally, false, items);
	count += add_items(metrics, profile->offcpu.tally, true, items + count);
	sort(items, count, NULL);
	for (size_t i = 0; i < count; i += equal) {
		equal = equal_items(items + i, count - i, NULL);
		add_owner(metrics, host, &scopes, items + i, equal);
	}
	metrics_add_topics(metrics, profile, host, &scopes);
	map_free(&scopes.by_owner);
	free(items);
}

static void mark(const struct tally *tally)
{
	size_t count;
	struct tally_row **rows = tally_rows(tally, &count);

	for (size_t i = 0; i < count; i++) {
		rows[i]->samples_exported = rows[i]->samples;
		rows[i]->weight_exported = rows[i]->weight;
	}
}

void metrics_mark_owners(struct profile *profile)
{
	mark(profile->oncpu.tally);
	mark(profile->offcpu.tally);
}
