// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "export/prometheus.h"
#include "lib/libktally.h"

const char *const prometheus_types[PROMETHEUS_FORMATS] = {
	[PROMETHEUS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	[PROMETHEUS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
};

/* What is written, and what of it does not change. */
struct exposition {
	struct buffer *text;
	enum prometheus_format format;
	const Otlp__Resource *self;
};

/* A metric of a resource. Those of the same name, of all resources, are a family. */
struct member {
	char *family;
	const Otlp__Metric *metric;
	const Otlp__Resource *resource;
};

/* A line of a family. */
struct series {
	size_t labels;			/* where they begin in the family's text, with their zero */
	bool is_seconds;
	int64_t count;
	double seconds;
};

/* ---- names ---- */

static const char *unit_word(const char *unit)
{
	static const char *const words[][2] = {
		{ "s", "seconds" }, { "ms", "milliseconds" }, { "ns", "nanoseconds" }, { "By", "bytes" }, { "%", "percent" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(unit, words[i][0]))
			return words[i][1];
	}
	return NULL;			/* "1", "{sample}": no unit that a name would have */
}

/* Runs of other characters become one "_". ASCII only, whatever the locale. */
static void append_name(struct buffer *text, const char *name)
{
	bool gap = false;

	for (; *name; name++) {
		bool keeps = (unsigned char)*name < 0x80 && isalnum((unsigned char)*name);

		if (keeps)
			buffer_append(text, name, 1);
		else if (!gap)
			buffer_append(text, "_", 1);
		gap = !keeps;
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t bytes = strlen(text), end_bytes = strlen(end);

	return bytes > end_bytes && text[bytes - end_bytes - 1] == '_' && !strcmp(text + bytes - end_bytes, end);
}

void prometheus_family(struct buffer *text, const char *name, const char *unit)
{
	const char *word = unit_word(unit);
	size_t start = text->bytes;

	append_name(text, name);
	if (word && !ends_with(text->data + start, word))
		buffer_format(text, "_%s", word);
}

/* A label's name may not begin with a digit, and those that begin with "_" are Prometheus's own. */
static void append_label_name(struct buffer *text, const char *key)
{
	if (isdigit((unsigned char)*key))
		buffer_string(text, "key_");
	else if (!isalpha((unsigned char)*key))
		buffer_string(text, "key");
	append_name(text, key);
}

/* ---- labels ---- */

static void append_escaped(struct buffer *text, const char *value, bool quotes)
{
	for (; *value; value++) {
		if (*value == '\\' || (quotes && *value == '"'))
			buffer_append(text, "\\", 1);
		buffer_append(text, *value == '\n' ? "\\n" : value, *value == '\n' ? 2 : 1);
	}
}

/* A set of labels in the making. */
struct labels {
	struct buffer *text;
	size_t start;
	bool any;
};

/* Whether a label has this name, which is put into `name` as it stands before the value. Quotes in values are escaped: none looks so. */
static bool has_label(const struct labels *labels, const char *key, struct buffer *name)
{
	buffer_clear(name);
	buffer_string(name, labels->any ? "," : "{");
	append_label_name(name, key);
	buffer_string(name, "=\"");
	return labels->any && (strstr(labels->text->data + labels->start, name->data) ||
			       !strncmp(labels->text->data + labels->start + 1, name->data + 1, name->bytes - 1));
}

/* Of two keys that differ only in what became "_", the later one's label gets a longer name. */
static void add_label(struct labels *labels, const char *key, const char *value)
{
	struct buffer name = { 0 }, longer = { 0 };

	buffer_string(&longer, key);
	while (has_label(labels, longer.data, &name))
		buffer_string(&longer, "_other");
	buffer_append(labels->text, name.data, name.bytes);
	append_escaped(labels->text, value, true);
	buffer_append(labels->text, "\"", 1);
	labels->any = true;
	buffer_free(&longer);
	buffer_free(&name);
}

static void add_attributes(struct labels *labels, Otlp__KeyValue *const *attributes, size_t count, const Otlp__Resource *self)
{
	for (size_t i = 0; i < count; i++) {
		const char *key = attributes[i]->key, *value = attributes[i]->value->string_value;
		bool of_target = false;

		for (size_t j = 0; self && !of_target && j < self->n_attributes; j++)
			of_target = !strcmp(self->attributes[j]->key, key) &&
				    !strcmp(self->attributes[j]->value->string_value, value);
		if (!of_target || !strcmp(key, "service.name"))
			add_label(labels, key, value);
	}
}

static void close_labels(struct labels *labels)
{
	if (labels->any)
		buffer_append(labels->text, "}", 1);
}

/* ---- families ---- */

static void begin_family(const struct exposition *exposition, const char *family, const Otlp__Metric *metric)
{
	const bool counts = metric->sum->is_monotonic, open = exposition->format == PROMETHEUS_OPENMETRICS;
	const char *total = counts && !open ? "_total" : "", *unit = unit_word(metric->unit);

	buffer_format(exposition->text, "# TYPE %s%s %s\n", family, total, counts ? "counter" : "gauge");
	if (open && unit)
		buffer_format(exposition->text, "# UNIT %s %s\n", family, unit);
	buffer_format(exposition->text, "# HELP %s%s ", family, total);
	append_escaped(exposition->text, metric->description, open);
	buffer_append(exposition->text, "\n", 1);
}

static int compare_series(const void *a, const void *b, void *context)
{
	const struct series *first = a, *second = b;
	const char *labels = ((const struct buffer *)context)->data;

	return strcmp(labels + first->labels, labels + second->labels);
}

/* As short as it can be read back from. */
static void write_seconds(struct buffer *text, double seconds)
{
	char shown[32];

	snprintf(shown, sizeof(shown), "%.15g", seconds);
	if (strtod(shown, NULL) < seconds || strtod(shown, NULL) > seconds)
		snprintf(shown, sizeof(shown), "%.17g", seconds);
	buffer_format(text, "%s\n", shown);
}

static void write_series(struct buffer *text, const char *family, const char *total, const char *labels,
			 const struct series *sum)
{
	buffer_format(text, "%s%s%s ", family, total, labels);
	if (sum->is_seconds)
		write_seconds(text, sum->seconds + (double)sum->count);
	else
		buffer_format(text, "%" PRId64 "\n", sum->count);
}

static void add_up(struct series *sum, const struct series *other)
{
	sum->is_seconds |= other->is_seconds;
	sum->seconds += other->seconds;
	if (__builtin_add_overflow(sum->count, other->count, &sum->count))
		sum->count = INT64_MAX;
}

static size_t take_points(const struct exposition *exposition, const struct member *member, struct buffer *text,
			  struct series *list)
{
	const Otlp__Sum *sum = member->metric->sum;

	for (size_t i = 0; i < sum->n_data_points; i++) {
		const Otlp__NumberDataPoint *point = sum->data_points[i];
		struct labels labels = { .text = text, .start = text->bytes };

		list[i].labels = text->bytes;
		list[i].is_seconds = point->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
		list[i].seconds = list[i].is_seconds ? point->as_double : 0;
		list[i].count = list[i].is_seconds ? 0 : point->as_int;
		buffer_string(text, "");
		if (member->resource != exposition->self)
			add_attributes(&labels, member->resource->attributes, member->resource->n_attributes, exposition->self);
		add_attributes(&labels, point->attributes, point->n_attributes, NULL);
		close_labels(&labels);
		buffer_append(text, "", 1);
	}
	return sum->n_data_points;
}

/* Members of one family. `labels` is kept for its memory. */
static void write_family(const struct exposition *exposition, const struct member *members, size_t count,
			 struct buffer *labels)
{
	const char *family = members->family;
	const char *total = members->metric->sum->is_monotonic ? "_total" : "";
	struct series *list;
	size_t room = 0, used = 0;

	for (size_t i = 0; i < count; i++)
		room += members[i].metric->sum->n_data_points;
	list = memory_zeroed(room + 1, sizeof(*list));
	buffer_clear(labels);
	for (size_t i = 0; i < count; i++)
		used += take_points(exposition, &members[i], labels, list + used);
	qsort_r(list, used, sizeof(*list), compare_series, labels);
	begin_family(exposition, family, members->metric);
	for (size_t i = 0, next; i < used; i = next) {
		for (next = i + 1; next < used && !compare_series(&list[i], &list[next], labels); next++)
			add_up(&list[i], &list[next]);
		write_series(exposition->text, family, total, labels->data + list[i].labels, &list[i]);
	}
	free(list);
}

/* ---- the whole ---- */

static void write_target(const struct exposition *exposition)
{
	struct labels labels = { .text = exposition->text };

	if (exposition->format == PROMETHEUS_OPENMETRICS)
		buffer_string(exposition->text, "# TYPE target info\n# HELP target The host and who speaks for it\n");
	else
		buffer_string(exposition->text, "# TYPE target_info gauge\n# HELP target_info The host and who speaks for it\n");
	buffer_string(exposition->text, "target_info");
	labels.start = exposition->text->bytes;
	add_attributes(&labels, exposition->self->attributes, exposition->self->n_attributes, NULL);
	close_labels(&labels);
	buffer_string(exposition->text, " 1\n");
	buffer_format(exposition->text, "# TYPE ktally_build_info gauge\n# HELP ktally_build_info The version of ktally\n"
		      "ktally_build_info{version=\"%s\"} 1\n", ktally_version());
}

static int compare_members(const void *a, const void *b)
{
	const struct member *first = a, *second = b;

	return strcmp(first->family, second->family);
}

static size_t take_metrics(const Otlp__ResourceMetrics *resource, struct member *members)
{
	const Otlp__ScopeMetrics *scope = resource->scope_metrics[0];
	struct buffer name = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < scope->n_metrics; i++) {
		const Otlp__Metric *metric = scope->metrics[i];

		if (metric->data_case != OTLP__METRIC__DATA_SUM || !metric->sum->n_data_points)
			continue;
		buffer_clear(&name);
		prometheus_family(&name, metric->name, metric->unit);
		members[count++] = (struct member){ memory_string(name.data), metric, resource->resource };
	}
	buffer_free(&name);
	return count;
}

void prometheus_write(struct buffer *text, const struct metrics *metrics, enum prometheus_format format)
{
	const struct exposition exposition = { .text = text, .format = format, .self = metrics->self };
	const Otlp__ExportMetricsServiceRequest *request = &metrics->request;
	struct buffer labels = { 0 };
	struct member *members;
	size_t room = 1, count = 0;

	for (size_t i = 0; i < request->n_resource_metrics; i++)
		room += request->resource_metrics[i]->scope_metrics[0]->n_metrics;
	members = memory_zeroed(room, sizeof(*members));
	for (size_t i = 0; i < request->n_resource_metrics; i++)
		count += take_metrics(request->resource_metrics[i], members + count);
	qsort(members, count, sizeof(*members), compare_members);
	write_target(&exposition);
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count && !compare_members(&members[i], &members[next]);)
			next++;
		write_family(&exposition, members + i, next - i, &labels);
	}
	if (format == PROMETHEUS_OPENMETRICS)
		buffer_string(text, "# EOF\n");
	while (count)
		free(members[--count].family);
	free(members);
	buffer_free(&labels);
}
