// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "export/cumulative.h"

#define AGE_MOST	(CUMULATIVE_AGE_SECONDS * 1000000000ULL)
#define WINDOW_MOST	(AGE_MOST / 4)

/* Attributes as text: each key and each value with its zero, one after the other. */
struct attributes {
	size_t bytes;
	char *text;
};

struct resource {
	struct resource *next;
	struct attributes attributes;
	struct series *series;		/* in the order in which they came */
	struct series **last;
	bool is_self;
};

struct series {
	struct series *next;		/* of the resource */
	struct series *same;		/* with the same hash */
	struct resource *resource;
	struct attributes attributes;
	const char *name, *unit, *description;	/* interned: there are only so many */
	bool is_seconds, is_monotonic;
	uint64_t key;
	int64_t value, pending;		/* ns if it is seconds; pending: not for good */
	uint64_t start;
	uint64_t grown;			/* the round when it last grew */
	uint64_t grown_at;		/* and cumulative->age then */
};

struct cumulative {
	size_t most, count;
	uint64_t round;
	uint64_t age;			/* ns: of all that was taken for good */
	struct map resources, series;	/* by hash */
	struct resource *first, **last;
	struct buffer text;		/* kept for its memory */
};

struct cumulative *cumulative_create(size_t most)
{
	struct cumulative *cumulative = memory_zeroed(1, sizeof(*cumulative));

	cumulative->most = most;
	cumulative->last = &cumulative->first;
	return cumulative;
}

static void free_series(struct series *series)
{
	free(series->attributes.text);
	free(series);
}

void cumulative_destroy(struct cumulative *cumulative)
{
	struct resource *resource;
	struct series *series;

	if (!cumulative)
		return;
	while ((resource = cumulative->first)) {
		while ((series = resource->series)) {
			resource->series = series->next;
			free_series(series);
		}
		cumulative->first = resource->next;
		free(resource->attributes.text);
		free(resource);
	}
	map_free(&cumulative->resources);
	map_free(&cumulative->series);
	buffer_free(&cumulative->text);
	free(cumulative);
}

/* ---- attributes ---- */

static void write_attributes(struct buffer *text, Otlp__KeyValue *const *attributes, size_t count)
{
	buffer_clear(text);
	buffer_string(text, "");
	for (size_t i = 0; i < count; i++) {
		buffer_append(text, attributes[i]->key, strlen(attributes[i]->key) + 1);
		buffer_append(text, attributes[i]->value->string_value, strlen(attributes[i]->value->string_value) + 1);
	}
}

static struct attributes keep(const struct buffer *text)
{
	struct attributes attributes = { .bytes = text->bytes, .text = memory_zeroed(text->bytes + 1, 1) };

	memcpy(attributes.text, text->data, text->bytes);
	return attributes;
}

static bool is(const struct attributes *attributes, const struct buffer *text)
{
	return attributes->bytes == text->bytes && !memcmp(attributes->text, text->data, text->bytes);
}

static size_t read_attributes(const struct attributes *attributes, struct metrics_attribute *list, size_t most)
{
	const char *at = attributes->text, *end = at + attributes->bytes;
	size_t count = 0;

	while (at < end && count < most) {
		list[count].key = at;
		at += strlen(at) + 1;
		list[count++].value = at;
		at += strlen(at) + 1;
	}
	return count;
}

/* ---- finding and making ---- */

/* Of two with the same hash the later one has the next number. */
static struct resource *find_resource(struct cumulative *cumulative, const Otlp__Resource *of)
{
	struct resource *resource;
	uint64_t key;

	write_attributes(&cumulative->text, of->attributes, of->n_attributes);
	key = hash_names(cumulative->text.data, cumulative->text.bytes, 0);
	while ((resource = map_get(&cumulative->resources, key)) && !is(&resource->attributes, &cumulative->text))
		key++;
	if (resource)
		return resource;
	resource = memory_zeroed(1, sizeof(*resource));
	resource->attributes = keep(&cumulative->text);
	resource->last = &resource->series;
	*cumulative->last = resource;
	cumulative->last = &resource->next;
	map_put(&cumulative->resources, key, resource);
	return resource;
}

static struct series *find_series(struct cumulative *cumulative, struct resource *resource, const Otlp__Metric *metric,
				  const Otlp__NumberDataPoint *point)
{
	const char *name = intern(metric->name);
	struct series *first, *series;
	uint64_t key;

	write_attributes(&cumulative->text, point->attributes, point->n_attributes);
	key = hash_words(hash_names(cumulative->text.data, cumulative->text.bytes, 0),
			 hash_words((uintptr_t)name, (uintptr_t)resource));
	first = map_get(&cumulative->series, key);
	for (series = first; series; series = series->same) {
		if (series->resource == resource && series->name == name && is(&series->attributes, &cumulative->text))
			return series;
	}
	series = memory_zeroed(1, sizeof(*series));
	*series = (struct series){
		.same = first, .resource = resource, .attributes = keep(&cumulative->text), .name = name, .unit = intern(metric->unit),
		.description = intern(metric->description), .is_monotonic = metric->sum->is_monotonic, .key = key,
		.is_seconds = point->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE, .start = point->start_time_unix_nano,
	};
	map_put(&cumulative->series, key, series);
	*resource->last = series;
	resource->last = &series->next;
	cumulative->count++;
	return series;
}

/* ---- forgetting ---- */

static void unlink_series(struct cumulative *cumulative, const struct series *series)
{
	struct series *other = map_get(&cumulative->series, series->key);

	if (other == series && !series->same) {
		map_remove(&cumulative->series, series->key);
	} else if (other == series) {
		map_put(&cumulative->series, series->key, series->same);
	} else {
		while (other->same != series)
			other = other->same;
		other->same = series->same;
	}
}

static void drop_series(struct cumulative *cumulative, struct series *series)
{
	unlink_series(cumulative, series);
	free_series(series);
	cumulative->count--;
}

/* Of those of ktally itself, cgroups come and go. */
static bool is_old(const struct cumulative *cumulative, const struct series *series)
{
	return cumulative->age - series->grown_at > AGE_MOST &&
	       (!series->resource->is_self || !strcmp(series->attributes.text, "ktally.cgroup"));
}

/* True: some went. */
static bool forget_old(struct cumulative *cumulative, struct resource *resource)
{
	struct series **link = &resource->series, *series;
	size_t before = cumulative->count;

	while ((series = *link)) {
		if (is_old(cumulative, series)) {
			*link = series->next;
			drop_series(cumulative, series);
		} else {
			link = &series->next;
		}
	}
	resource->last = link;
	return cumulative->count < before;
}

/* Those that grew before that round, and as many of those that grew last in it. */
static void forget_series(struct cumulative *cumulative, struct resource *resource, uint64_t since, size_t *equal)
{
	struct series **link = &resource->series, *series;

	while ((series = *link)) {
		if (series->grown > since || (series->grown == since && !*equal)) {
			link = &series->next;
			continue;
		}
		*equal -= series->grown == since;
		*link = series->next;
		drop_series(cumulative, series);
	}
	resource->last = link;
}

/* They get their places in the map anew, as one that went may have stood before another with the same hash. */
static void forget_resources(struct cumulative *cumulative)
{
	struct resource **link = &cumulative->first, *resource;

	map_free(&cumulative->resources);
	cumulative->resources = (struct map){ .used = 0 };
	while ((resource = *link)) {
		uint64_t key = hash_names(resource->attributes.text, resource->attributes.bytes, 0);

		if (!resource->series && !resource->is_self) {
			*link = resource->next;
			free(resource->attributes.text);
			free(resource);
			continue;
		}
		while (map_get(&cumulative->resources, key))
			key++;
		map_put(&cumulative->resources, key, resource);
		link = &resource->next;
	}
	cumulative->last = link;
}

static int compare_rounds(const void *a, const void *b)
{
	const uint64_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

/* A quarter goes, so that it is not for every new one: those that did not grow since the longest. */
static void forget(struct cumulative *cumulative)
{
	size_t count = 0, most = cumulative->count - cumulative->most + cumulative->most / 4, equal = 0;
	uint64_t *rounds = memory_zeroed(cumulative->count, sizeof(*rounds)), since;

	for (struct resource *resource = cumulative->first; resource; resource = resource->next) {
		for (struct series *series = resource->series; series; series = series->next)
			rounds[count++] = series->grown;
	}
	qsort(rounds, count, sizeof(*rounds), compare_rounds);
	/* What grew in this round stays, however many those are: the tally has its own cap. */
	since = rounds[most - 1];
	while (since < cumulative->round && equal < most && rounds[most - 1 - equal] == since)
		equal++;
	free(rounds);
	for (struct resource *resource = cumulative->first; resource; resource = resource->next)
		forget_series(cumulative, resource, since, &equal);
	forget_resources(cumulative);
}

/* A clock that was set, or a host that slept, makes one window long: nothing is old for that. */
static void grow_older(struct cumulative *cumulative, uint64_t window)
{
	cumulative->age += window < WINDOW_MOST ? window : WINDOW_MOST;
}

static void forget_ended(struct cumulative *cumulative)
{
	bool some = false;

	for (struct resource *resource = cumulative->first; resource; resource = resource->next)
		some |= forget_old(cumulative, resource);
	if (!some)
		return;
	forget_resources(cumulative);
	map_trim(&cumulative->series);
}

/* ---- taking and telling ---- */

static int64_t value_of(const Otlp__NumberDataPoint *point)
{
	if (point->value_case != OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE)
		return point->as_int;
	return (int64_t)(point->as_double * 1e9 + (point->as_double < 0 ? -0.5 : 0.5));
}

static void take_resource(struct cumulative *cumulative, const Otlp__ResourceMetrics *resource_metrics)
{
	const Otlp__ScopeMetrics *scope = resource_metrics->scope_metrics[0];
	struct resource *resource = find_resource(cumulative, resource_metrics->resource);

	for (size_t i = 0; i < scope->n_metrics; i++) {
		const Otlp__Metric *metric = scope->metrics[i];

		for (size_t j = 0; j < metric->sum->n_data_points; j++) {
			struct series *series = find_series(cumulative, resource, metric, metric->sum->data_points[j]);

			series->pending += value_of(metric->sum->data_points[j]);
			series->grown = cumulative->round;
			series->grown_at = cumulative->age;
		}
	}
}

static void tell_series(struct metrics *totals, Otlp__ScopeMetrics *scope, const struct series *series)
{
	struct metrics_attribute attributes[METRICS_ATTRIBUTES_MOST];
	size_t count = read_attributes(&series->attributes, attributes, METRICS_ATTRIBUTES_MOST);
	int64_t value = series->value + series->pending;
	Otlp__NumberDataPoint *point;
	Otlp__Sum *sum = NULL;

	for (size_t i = 0; i < scope->n_metrics && !sum; i++)
		sum = !strcmp(scope->metrics[i]->name, series->name) ? scope->metrics[i]->sum : NULL;
	if (!sum)
		sum = metrics_add_sum(totals, scope, series->name, series->unit, series->description);
	sum->is_monotonic = series->is_monotonic;
	point = metrics_add_point(totals, sum, attributes, count);
	/* The clock may have been set to before it began. */
	point->start_time_unix_nano = series->start < totals->end ? series->start : totals->end - 1;
	point->value_case = series->is_seconds ? OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE : OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
	if (series->is_seconds)
		point->as_double = (double)value / 1e9;
	else
		point->as_int = value;
}

static void tell(const struct cumulative *cumulative, struct metrics *totals)
{
	for (const struct resource *resource = cumulative->first; resource; resource = resource->next) {
		struct metrics_attribute attributes[METRICS_RESOURCE_ATTRIBUTES_MOST];
		size_t count = read_attributes(&resource->attributes, attributes, METRICS_RESOURCE_ATTRIBUTES_MOST);
		Otlp__ScopeMetrics *scope = metrics_add_described(totals, attributes, count);

		if (resource->is_self)
			totals->self = totals->request.resource_metrics[totals->request.n_resource_metrics - 1]->resource;
		for (const struct series *series = resource->series; series; series = series->next)
			tell_series(totals, scope, series);
	}
	metrics_trim(totals);
}

static void settle(struct cumulative *cumulative, bool counts)
{
	for (struct resource *resource = cumulative->first; resource; resource = resource->next) {
		for (struct series *series = resource->series; series; series = series->next) {
			if (counts)
				series->value += series->pending;
			series->pending = 0;
		}
	}
}

void cumulative_take(struct cumulative *cumulative, const struct metrics *new, bool counts, struct metrics *totals)
{
	struct resource *self = find_resource(cumulative, new->self);

	cumulative->round++;
	if (counts)
		grow_older(cumulative, new->end - new->start);
	for (struct resource *resource = cumulative->first; resource; resource = resource->next)
		resource->is_self = resource == self;
	for (size_t i = 0; i < new->request.n_resource_metrics; i++)
		take_resource(cumulative, new->request.resource_metrics[i]);
	forget_ended(cumulative);
	if (cumulative->count > cumulative->most)
		forget(cumulative);
	if (totals) {
		metrics_init(totals, new->start, new->end, true);
		tell(cumulative, totals);
	}
	settle(cumulative, counts);
}

size_t cumulative_count(const struct cumulative *cumulative)
{
	return cumulative->count;
}

static bool has(const Otlp__Resource *resource, const Otlp__KeyValue *attribute)
{
	for (size_t i = 0; i < resource->n_attributes; i++) {
		if (!strcmp(resource->attributes[i]->key, attribute->key) &&
		    !strcmp(resource->attributes[i]->value->string_value, attribute->value->string_value))
			return true;
	}
	return false;
}

void cumulative_name_instances(struct metrics *totals)
{
	const Otlp__Resource *self = totals->self;
	struct buffer host = { 0 }, name = { 0 };

	buffer_string(&host, "");
	for (size_t i = 0; i < self->n_attributes; i++) {
		if (!strcmp(self->attributes[i]->key, "host.name"))
			buffer_string(&host, self->attributes[i]->value->string_value);
	}
	for (size_t i = 0; i < totals->request.n_resource_metrics; i++) {
		Otlp__Resource *resource = totals->request.resource_metrics[i]->resource;

		buffer_clear(&name);
		buffer_append(&name, host.data, host.bytes);
		for (size_t j = 0; j < resource->n_attributes; j++) {
			const Otlp__KeyValue *attribute = resource->attributes[j];

			if (strcmp(attribute->key, "service.name") && !has(self, attribute))
				buffer_format(&name, "/%s", attribute->value->string_value);
		}
		metrics_describe(totals, resource, "service.instance.id", name.data);
	}
	buffer_free(&host);
	buffer_free(&name);
}
