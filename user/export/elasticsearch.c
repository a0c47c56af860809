// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/map.h"
#include "base/message.h"
#include "export/elasticsearch.h"
#include "export/sender_parts.h"

#define NAMESPACE_BYTES_MOST 100

/* ---- documents ---- */

/* A value, before those with the same attributes are put together. */
struct value {
	const Otlp__NumberDataPoint *point;
	const char *metric;
	size_t attributes;		/* where they begin in the text of the resource's points */
};

struct bulk {
	const struct metrics *metrics;
	const char *namespace;
	elasticsearch_taker *take;
	void *context;
	struct buffer batch, attributes;	/* attributes: of points, as JSON, each with its zero */
	size_t documents;
};

/* FNV-1a: it must be the same in every run and version, and is a fingerprint and no secret. */
static uint64_t fingerprint(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return (hash ^ 0xff) * 0x100000001b3;
}

static void append_time(struct buffer *json, uint64_t nanoseconds)
{
	time_t seconds = (time_t)(nanoseconds / 1000000000);
	struct tm time;
	char text[32];

	gmtime_r(&seconds, &time);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &time);
	buffer_format(json, "\"%s.%03uZ\"", text, (unsigned int)(nanoseconds / 1000000 % 1000));
}

/*
 * The name of an attribute as a field. A field cannot be a value and have others below it, as these would, for metrics that are called
 * after them: ktally.category and ktally.category.time.
 */
static const char *field_of(const char *key)
{
	static const char *const others[][2] = {
		{ "ktally.category", "ktally.category.name" },
		{ "ktally.cgroup", "ktally.cgroup.path" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!strcmp(key, others[i][0]))
			return others[i][1];
	}
	return key;
}

/* ",key:value" for each. */
static void append_attributes(struct buffer *json, Otlp__KeyValue *const *attributes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buffer_append(json, ",", 1);
		buffer_json_string(json, field_of(attributes[i]->key));
		buffer_append(json, ":", 1);
		buffer_json_string(json, attributes[i]->value->string_value);
	}
}

static void append_value(struct buffer *json, const struct value *value)
{
	buffer_append(json, ",", 1);
	buffer_json_string(json, value->metric);
	if (value->point->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE)
		buffer_format(json, ":%.15g", value->point->as_double);
	else
		buffer_format(json, ":%" PRId64, value->point->as_int);
}

static void finish_batch(struct bulk *bulk)
{
	if (bulk->documents)
		bulk->take(bulk->context, &bulk->batch, bulk->documents);
	buffer_clear(&bulk->batch);
	bulk->documents = 0;
}

/* The values have the same attributes, whose text is given. */
static void write_document(struct bulk *bulk, const Otlp__Resource *resource, const char *attributes, const struct value *values,
			   size_t count)
{
	const char *dataset = resource == bulk->metrics->self ? "self" : "tally";
	struct buffer *json = &bulk->batch;
	uint64_t series = 0xcbf29ce484222325;
	size_t start;

	buffer_format(json, "{\"create\":{\"_index\":\"metrics-ktally.%s-%s\"}}\n{\"@timestamp\":", dataset, bulk->namespace);
	append_time(json, values->point->time_unix_nano);
	buffer_string(json, ",\"start_timestamp\":");
	append_time(json, values->point->start_time_unix_nano);
	buffer_format(json, ",\"data_stream.type\":\"metrics\",\"data_stream.dataset\":\"ktally.%s\",\"data_stream.namespace\":\"%s\"",
		      dataset, bulk->namespace);
	start = json->bytes;
	append_attributes(json, resource->attributes, resource->n_attributes);
	buffer_string(json, attributes);
	series = fingerprint(series, json->data + start);
	for (size_t i = 0; i < count; i++)
		append_value(json, &values[i]);
	buffer_format(json, ",\"ktally.series\":\"%016" PRIx64 "\"}\n", series);
	if (++bulk->documents == ELASTICSEARCH_DOCUMENTS_MOST || json->bytes >= ELASTICSEARCH_BYTES_MOST)
		finish_batch(bulk);
}

static int compare_values(const void *a, const void *b, void *context)
{
	const struct value *first = a, *second = b;
	const char *text = context;
	int order = strcmp(text + first->attributes, text + second->attributes);

	return order ? order : strcmp(first->metric, second->metric);
}

static void write_resource(struct bulk *bulk, const Otlp__ResourceMetrics *resource)
{
	const Otlp__ScopeMetrics *scope = resource->scope_metrics[0];
	struct value *values;
	size_t count = 0, used = 0;

	for (size_t i = 0; i < scope->n_metrics; i++)
		count += scope->metrics[i]->sum->n_data_points;
	values = memory_zeroed(count + 1, sizeof(*values));
	buffer_clear(&bulk->attributes);
	buffer_string(&bulk->attributes, "");
	for (size_t i = 0; i < scope->n_metrics; i++) {
		const Otlp__Sum *sum = scope->metrics[i]->sum;

		for (size_t j = 0; j < sum->n_data_points; j++) {
			values[used++] = (struct value){ sum->data_points[j], scope->metrics[i]->name, bulk->attributes.bytes };
			append_attributes(&bulk->attributes, sum->data_points[j]->attributes, sum->data_points[j]->n_attributes);
			buffer_append(&bulk->attributes, "", 1);
		}
	}
	qsort_r(values, count, sizeof(*values), compare_values, bulk->attributes.data);
	for (size_t i = 0, next; i < count; i = next) {
		const char *attributes = bulk->attributes.data + values[i].attributes;

		for (next = i + 1; next < count && !strcmp(attributes, bulk->attributes.data + values[next].attributes);)
			next++;
		write_document(bulk, resource->resource, attributes, values + i, next - i);
	}
	free(values);
}

void elasticsearch_write(const struct metrics *metrics, const char *namespace, elasticsearch_taker *take, void *context)
{
	struct bulk bulk = { .metrics = metrics, .namespace = namespace, .take = take, .context = context };

	for (size_t i = 0; i < metrics->request.n_resource_metrics; i++)
		write_resource(&bulk, metrics->request.resource_metrics[i]);
	finish_batch(&bulk);
	buffer_free(&bulk.batch);
	buffer_free(&bulk.attributes);
}

/* ---- options ---- */

bool elasticsearch_namespace_is_good(const char *namespace)
{
	size_t bytes = strlen(namespace);

	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)namespace[i];

		if (c <= ' ' || c >= 0x7f || (c >= 'A' && c <= 'Z') || strchr("\\/*?\"<>|,#:-", c))
			return false;
	}
	return bytes && bytes <= NAMESPACE_BYTES_MOST;
}

static const char *variable(const char *name)
{
	char full[64];
	const char *value;

	snprintf(full, sizeof(full), "KTALLY_ELASTICSEARCH_%s", name);
	value = getenv(full);
	return value && *value ? intern(value) : NULL;
}

/* The key is base64: of its characters only "=" and "+" mean something in a list of headers. */
static const char *headers(void)
{
	const char *key = variable("API_KEY"), *others = variable("HEADERS");
	struct buffer list = { 0 };

	if (!key)
		return others;
	buffer_string(&list, "Authorization=ApiKey%20");
	for (; *key; key++) {
		if (strchr("%,=+ ", *key) || (unsigned char)*key < ' ')
			buffer_format(&list, "%%%02X", (unsigned char)*key);
		else
			buffer_append(&list, key, 1);
	}
	if (others)
		buffer_format(&list, ",%s", others);
	others = intern(list.data);
	buffer_free(&list);
	return others;
}

int elasticsearch_options(struct sender_options *options, const char *url)
{
	static const char query[] = "filter_path=errors,error,status,items.*.status,items.*.error.type,items.*.error.reason";
	struct buffer endpoint = { 0 };

	if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8)) {
		message_error("\"%s\" is not an address of Elasticsearch: give http://HOST:9200 or https://HOST:9200", url);
		return -EINVAL;
	}
	buffer_string(&endpoint, url);
	while (endpoint.bytes && endpoint.data[endpoint.bytes - 1] == '/')
		endpoint.data[--endpoint.bytes] = '\0';
	if (endpoint.bytes < 6 || strcmp(endpoint.data + endpoint.bytes - 6, "/_bulk"))
		buffer_string(&endpoint, "/_bulk");
	buffer_format(&endpoint, "?%s", query);
	options->protocol = &elasticsearch_bulk;
	options->endpoint = intern(endpoint.data);
	buffer_free(&endpoint);
	options->headers = headers();
	options->certificate = variable("CERTIFICATE");
	options->client_key = variable("CLIENT_KEY");
	options->client_certificate = variable("CLIENT_CERTIFICATE");
	options->compression = variable("COMPRESSION");
	if (options->compression && !strcmp(options->compression, "zstd")) {
		message_error("Elasticsearch does not take zstd: set KTALLY_ELASTICSEARCH_COMPRESSION to gzip or none");
		return -EINVAL;
	}
	return sender_check_options(options);
}
