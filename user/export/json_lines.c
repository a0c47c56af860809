// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <time.h>

#include "export/json_lines.h"

static void add_time(struct buffer *line, uint64_t realtime)
{
	time_t seconds = (time_t)(realtime / 1000000000);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buffer_format(line, "\"%s.%03uZ\"", text, (unsigned int)(realtime / 1000000 % 1000));
}

static void add_attributes(struct buffer *line, Otlp__KeyValue *const *attributes, size_t count)
{
	buffer_string(line, "{");
	for (size_t i = 0; i < count; i++) {
		buffer_string(line, i ? "," : "");
		buffer_json_string(line, attributes[i]->key);
		buffer_string(line, ":");
		buffer_json_string(line, attributes[i]->value->string_value);
	}
	buffer_string(line, "}");
}

static void add_point(struct buffer *line, const Otlp__Metric *metric, const Otlp__NumberDataPoint *point, const struct buffer *resource)
{
	buffer_string(line, "{\"@timestamp\":");
	add_time(line, point->time_unix_nano);
	buffer_string(line, ",\"start\":");
	add_time(line, point->start_time_unix_nano);
	buffer_string(line, ",\"metric\":");
	buffer_json_string(line, metric->name);
	buffer_string(line, ",\"unit\":");
	buffer_json_string(line, metric->unit);
	if (point->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE)
		buffer_format(line, ",\"value\":%.9f", point->as_double);	/* nanoseconds */
	else
		buffer_format(line, ",\"value\":%" PRId64, point->as_int);
	buffer_string(line, ",\"attributes\":");
	add_attributes(line, point->attributes, point->n_attributes);
	buffer_string(line, ",\"resource\":");
	buffer_append(line, resource->data, resource->bytes);
	buffer_string(line, "}\n");
}

void json_lines(struct buffer *out, const struct metrics *metrics)
{
	struct buffer resource = { 0 };

	for (size_t i = 0; i < metrics->request.n_resource_metrics; i++) {
		const Otlp__ResourceMetrics *from = metrics->request.resource_metrics[i];

		buffer_clear(&resource);
		add_attributes(&resource, from->resource->attributes, from->resource->n_attributes);
		for (size_t j = 0; j < from->n_scope_metrics; j++) {
			const Otlp__ScopeMetrics *scope = from->scope_metrics[j];

			for (size_t k = 0; k < scope->n_metrics; k++) {
				const Otlp__Metric *metric = scope->metrics[k];

				for (size_t l = 0; l < metric->sum->n_data_points; l++)
					add_point(out, metric, metric->sum->data_points[l], &resource);
			}
		}
	}
	buffer_free(&resource);
}
