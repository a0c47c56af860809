// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>

#include "export/metrics.h"
#include "export/output.h"

/* What protobuf-c packs into. */
struct sink {
	ProtobufCBuffer base;
	struct buffer *buffer;
};

static void append(ProtobufCBuffer *sink, size_t bytes, const uint8_t *data)
{
	buffer_append(((struct sink *)sink)->buffer, data, bytes);
}

void metrics_build(struct metrics *metrics, const struct profile *profile, const struct export_host *host, uint64_t start,
		   uint64_t end, bool everything)
{
	metrics_init(metrics, start, end, everything);
	metrics_add_owners(metrics, profile, host);
	metrics_add_self(metrics, profile, host);
	metrics_trim(metrics);
}

static size_t points_of(const Otlp__ResourceMetrics *resource)
{
	const Otlp__ScopeMetrics *scope = resource->scope_metrics[0];
	size_t points = 0;

	for (size_t i = 0; i < scope->n_metrics; i++)
		points += scope->metrics[i]->sum->n_data_points;
	return points;
}

size_t metrics_pack(struct buffer *out, const struct metrics *metrics, size_t *next)
{
	struct sink sink = { .base = { .append = append }, .buffer = out };
	Otlp__ExportMetricsServiceRequest request = metrics->request;
	size_t points = 0;

	request.resource_metrics += *next;
	request.n_resource_metrics = 0;
	while (*next < metrics->request.n_resource_metrics && points < METRICS_POINTS_OF_A_REQUEST) {
		points += points_of(metrics->request.resource_metrics[(*next)++]);
		request.n_resource_metrics++;
	}
	if (points)
		protobuf_c_message_pack_to_buffer(&request.base, &sink.base);
	return points;
}

size_t export_metrics_protobuf(struct buffer *out, struct profile *profile, const struct export_host *host,
			       uint64_t start_realtime, uint64_t end_realtime)
{
	struct sink sink = { .base = { .append = append }, .buffer = out };
	struct metrics metrics;
	size_t points;

	metrics_build(&metrics, profile, host, start_realtime, end_realtime, false);
	points = metrics.points;
	if (points)
		protobuf_c_message_pack_to_buffer(&metrics.request.base, &sink.base);
	export_metrics_mark(profile);
	metrics_free(&metrics);
	return points;
}

void export_metrics_mark(struct profile *profile)
{
	metrics_mark_owners(profile);
	metrics_mark_topics(profile);
	metrics_mark_self(profile);
}

/* ---- JSON: OTLP's mapping has lowerCamelCase keys, numbers for enums, and strings for 64-bit integers ---- */

static void json_attributes(struct buffer *json, Otlp__KeyValue *const *attributes, size_t count)
{
	buffer_string(json, "\"attributes\":[");
	for (size_t i = 0; i < count; i++) {
		buffer_string(json, i ? ",{\"key\":" : "{\"key\":");
		buffer_json_string(json, attributes[i]->key);
		buffer_string(json, ",\"value\":{\"stringValue\":");
		buffer_json_string(json, attributes[i]->value->string_value);
		buffer_string(json, "}}");
	}
	buffer_string(json, "]");
}

static void json_point(struct buffer *json, const Otlp__NumberDataPoint *point)
{
	buffer_string(json, "\n      {");
	json_attributes(json, point->attributes, point->n_attributes);
	buffer_format(json, ",\"startTimeUnixNano\":\"%" PRIu64 "\",\"timeUnixNano\":\"%" PRIu64 "\"",
		      point->start_time_unix_nano, point->time_unix_nano);
	if (point->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE)
		buffer_format(json, ",\"asDouble\":%.17g}", point->as_double);
	else
		buffer_format(json, ",\"asInt\":\"%" PRId64 "\"}", point->as_int);
}

static void json_metric(struct output *output, const Otlp__Metric *metric)
{
	struct buffer *json = &output->buffer;
	const Otlp__Sum *sum = metric->sum;

	buffer_string(json, "\n    {\"name\":");
	buffer_json_string(json, metric->name);
	buffer_string(json, ",\"description\":");
	buffer_json_string(json, metric->description);
	buffer_string(json, ",\"unit\":");
	buffer_json_string(json, metric->unit);
	buffer_format(json, ",\"sum\":{\"aggregationTemporality\":%d,\"isMonotonic\":%s,\"dataPoints\":[",
		      sum->aggregation_temporality, sum->is_monotonic ? "true" : "false");
	for (size_t i = 0; i < sum->n_data_points; i++) {
		if (i)
			buffer_string(json, ",");
		json_point(json, sum->data_points[i]);
		output_relieve(output);
	}
	buffer_string(json, "]}}");
}

static void json_resource(struct output *output, const Otlp__ResourceMetrics *resource)
{
	const Otlp__ScopeMetrics *scope = resource->scope_metrics[0];
	struct buffer *json = &output->buffer;

	buffer_string(json, "\n  {\"resource\":{");
	json_attributes(json, resource->resource->attributes, resource->resource->n_attributes);
	buffer_string(json, "},\"scopeMetrics\":[{\"scope\":{\"name\":");
	buffer_json_string(json, scope->scope->name);
	buffer_string(json, ",\"version\":");
	buffer_json_string(json, scope->scope->version);
	buffer_string(json, "},\"metrics\":[");
	for (size_t i = 0; i < scope->n_metrics; i++) {
		if (i)
			buffer_string(json, ",");
		json_metric(output, scope->metrics[i]);
	}
	buffer_string(json, "]}]}");
}

int metrics_write_json(FILE *file, const struct metrics *metrics)
{
	struct output output = { .file = file };

	buffer_string(&output.buffer, "{\"resourceMetrics\":[");
	for (size_t i = 0; i < metrics->request.n_resource_metrics; i++) {
		if (i)
			buffer_string(&output.buffer, ",");
		json_resource(&output, metrics->request.resource_metrics[i]);
	}
	buffer_string(&output.buffer, "]}\n");
	return output_finish(&output);
}

int export_metrics_json(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	uint64_t first = profile->first_time ? profile->first_time : host->monotonic;
	uint64_t last = profile->last_time > first ? profile->last_time : first;
	struct metrics metrics;
	int error;

	(void)sources;
	/* The start of a window is not in it, the first sample is. */
	metrics_build(&metrics, profile, host, export_realtime(host, first) - 1, export_realtime(host, last), true);
	error = metrics_write_json(file, &metrics);
	metrics_free(&metrics);
	return error;
}
