// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The messages of a request live in blocks that are freed at once. Names come from anybody's files, and receivers refuse a
 * whole request for one string that is not UTF-8: all are made printable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "export/metrics.h"
#include "export/resource.h"
#include "lib/libktally.h"
#include "symbols/printable.h"

#define BLOCK_BYTES	65536

struct metrics_block {
	struct metrics_block *next;
	size_t used, size;
	max_align_t data[];
};

static void *memory(struct metrics *metrics, size_t bytes)
{
	struct metrics_block *block = metrics->blocks;

	bytes = (bytes + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (!block || block->size - block->used < bytes) {
		size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		block = memory_zeroed(1, sizeof(*block) + size);
		block->size = size;
		block->next = metrics->blocks;
		metrics->blocks = block;
	}
	block->used += bytes;
	return (char *)block->data + block->used - bytes;
}

static char *text(struct metrics *metrics, const char *string)
{
	size_t bytes = strlen(string);
	char *copy = memory(metrics, bytes + 1);

	memcpy(copy, string, bytes);
	printable(copy, bytes);
	return copy;
}

/* Arrays of pointers grow at powers of two. Old ones stay where they are until the request is freed. */
static void append(struct metrics *metrics, void *array, size_t *count, void *item)
{
	void **items, **grown;

	memcpy(&items, array, sizeof(items));
	if ((*count & (*count - 1)) == 0) {
		grown = memory(metrics, (*count ? *count * 2 : 1) * sizeof(*grown));
		if (*count)
			memcpy(grown, items, *count * sizeof(*grown));
		memcpy(array, &grown, sizeof(grown));
		items = grown;
	}
	items[(*count)++] = item;
}

void metrics_init(struct metrics *metrics, uint64_t start, uint64_t end, bool everything)
{
	*metrics = (struct metrics){ .start = start, .end = end, .everything = everything };
	otlp__export_metrics_service_request__init(&metrics->request);
}

void metrics_free(struct metrics *metrics)
{
	while (metrics->blocks) {
		struct metrics_block *block = metrics->blocks;

		metrics->blocks = block->next;
		free(block);
	}
	metrics->request.n_resource_metrics = 0;
}

static void add_attributes(struct metrics *metrics, Otlp__KeyValue ***array, size_t *array_count,
			   const struct metrics_attribute *attributes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Otlp__KeyValue *attribute;

		if (!attributes[i].value || !*attributes[i].value)
			continue;
		attribute = memory(metrics, sizeof(*attribute));
		otlp__key_value__init(attribute);
		attribute->key = text(metrics, attributes[i].key);
		attribute->value = memory(metrics, sizeof(*attribute->value));
		otlp__any_value__init(attribute->value);
		attribute->value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		attribute->value->string_value = text(metrics, attributes[i].value);
		append(metrics, array, array_count, attribute);
	}
}

void metrics_describe(struct metrics *metrics, Otlp__Resource *resource, const char *key, const char *value)
{
	const struct metrics_attribute attribute = { key, value };

	for (size_t i = 0; i < resource->n_attributes; i++) {
		if (!strcmp(resource->attributes[i]->key, key))
			return;
	}
	add_attributes(metrics, &resource->attributes, &resource->n_attributes, &attribute, 1);
}

static void describe(struct metrics *metrics, Otlp__Resource *resource, const struct export_host *host, const struct owner *owner)
{
	struct resource_attribute attributes[RESOURCE_ATTRIBUTES_MOST];
	size_t count = resource_attributes(host, owner, attributes);

	for (size_t i = 0; i < count; i++)
		metrics_describe(metrics, resource, attributes[i].key, attributes[i].value);
}

static Otlp__ScopeMetrics *new_resource(struct metrics *metrics)
{
	Otlp__ResourceMetrics *resource_metrics = memory(metrics, sizeof(*resource_metrics));
	Otlp__ScopeMetrics *scope_metrics = memory(metrics, sizeof(*scope_metrics));

	otlp__scope_metrics__init(scope_metrics);
	scope_metrics->scope = memory(metrics, sizeof(*scope_metrics->scope));
	otlp__scope__init(scope_metrics->scope);
	scope_metrics->scope->name = text(metrics, "ktally");
	scope_metrics->scope->version = text(metrics, ktally_version());
	otlp__resource_metrics__init(resource_metrics);
	resource_metrics->resource = memory(metrics, sizeof(*resource_metrics->resource));
	otlp__resource__init(resource_metrics->resource);
	append(metrics, &resource_metrics->scope_metrics, &resource_metrics->n_scope_metrics, scope_metrics);
	append(metrics, &metrics->request.resource_metrics, &metrics->request.n_resource_metrics, resource_metrics);
	return scope_metrics;
}

static Otlp__Resource *last_resource(const struct metrics *metrics)
{
	return metrics->request.resource_metrics[metrics->request.n_resource_metrics - 1]->resource;
}

Otlp__ScopeMetrics *metrics_add_resource(struct metrics *metrics, const struct export_host *host,
					 const struct owner *owner)
{
	Otlp__ScopeMetrics *scope_metrics = new_resource(metrics);

	describe(metrics, last_resource(metrics), host, owner);
	if (!owner)
		metrics->self = last_resource(metrics);
	return scope_metrics;
}

Otlp__ScopeMetrics *metrics_add_described(struct metrics *metrics, const struct metrics_attribute *attributes, size_t count)
{
	Otlp__ScopeMetrics *scope_metrics = new_resource(metrics);
	Otlp__Resource *resource = last_resource(metrics);

	add_attributes(metrics, &resource->attributes, &resource->n_attributes, attributes, count);
	return scope_metrics;
}

Otlp__Sum *metrics_add_sum(struct metrics *metrics, Otlp__ScopeMetrics *scope, const char *name, const char *unit,
			   const char *description)
{
	Otlp__Metric *metric = memory(metrics, sizeof(*metric));

	otlp__metric__init(metric);
	metric->name = text(metrics, name);
	metric->unit = text(metrics, unit);
	metric->description = text(metrics, description);
	metric->data_case = OTLP__METRIC__DATA_SUM;
	metric->sum = memory(metrics, sizeof(*metric->sum));
	otlp__sum__init(metric->sum);
	metric->sum->aggregation_temporality = metrics->everything ? OTLP__AGGREGATION_TEMPORALITY__CUMULATIVE :
								     OTLP__AGGREGATION_TEMPORALITY__DELTA;
	metric->sum->is_monotonic = true;
	append(metrics, &scope->metrics, &scope->n_metrics, metric);
	return metric->sum;
}

Otlp__NumberDataPoint *metrics_add_point(struct metrics *metrics, Otlp__Sum *sum,
					 const struct metrics_attribute *attributes, size_t count)
{
	Otlp__NumberDataPoint *point = memory(metrics, sizeof(*point));

	otlp__number_data_point__init(point);
	point->start_time_unix_nano = metrics->start;
	point->time_unix_nano = metrics->end;
	add_attributes(metrics, &point->attributes, &point->n_attributes, attributes, count);
	append(metrics, &sum->data_points, &sum->n_data_points, point);
	metrics->points++;
	return point;
}

static void trim_scope(Otlp__ScopeMetrics *scope)
{
	size_t kept = 0;

	for (size_t i = 0; i < scope->n_metrics; i++) {
		if (scope->metrics[i]->sum->n_data_points)
			scope->metrics[kept++] = scope->metrics[i];
	}
	scope->n_metrics = kept;
}

void metrics_trim(struct metrics *metrics)
{
	Otlp__ExportMetricsServiceRequest *request = &metrics->request;
	size_t kept = 0;

	for (size_t i = 0; i < request->n_resource_metrics; i++) {
		Otlp__ResourceMetrics *resource = request->resource_metrics[i];

		trim_scope(resource->scope_metrics[0]);
		if (resource->scope_metrics[0]->n_metrics)
			request->resource_metrics[kept++] = resource;
	}
	request->n_resource_metrics = kept;
}
