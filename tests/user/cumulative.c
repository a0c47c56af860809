// SPDX-License-Identifier: GPL-2.0-or-later
/* Sums since the start: they only grow, whatever the tally forgets, and series come and go as a whole. */
#include <inttypes.h>

#include "check.h"
#include "export/cumulative.h"
#include "fake.h"

static struct class class_of(const char *runtime, const char *area, const char *shlib)
{
	return (struct class){ .runtime = intern(runtime), .area = intern(area), .shlib_name = intern(shlib) };
}

static void add(struct profile *profile, const char *process, struct class class, const char *syscall, uint64_t samples, uint64_t weight)
{
	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, fake_owner(process), &class, intern(syscall)), samples, weight);
	profile->oncpu.samples += samples;
	profile->oncpu.weight += weight;
}

/* As an export does it, or a scrape. */
static void take(struct cumulative *cumulative, struct profile *profile, uint64_t start, uint64_t end, bool counts, struct metrics *totals)
{
	struct metrics new;

	metrics_build(&new, profile, &fake_host, start, end, false);
	cumulative_take(cumulative, &new, counts, totals);
	if (counts)
		export_metrics_mark(profile);
	metrics_free(&new);
}

static const char *attribute_of(Otlp__KeyValue *const *attributes, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(attributes[i]->key, key))
			return attributes[i]->value->string_value;
	}
	return "";
}

/* The point of a process's metric that has this value of ktally.area, or the first when there is no area. NULL: there is none. */
static const Otlp__NumberDataPoint *point_of(const struct metrics *totals, const char *process, const char *metric, const char *area)
{
	for (size_t i = 0; i < totals->request.n_resource_metrics; i++) {
		const Otlp__ResourceMetrics *resource = totals->request.resource_metrics[i];
		const Otlp__ScopeMetrics *scope = resource->scope_metrics[0];

		if (strcmp(attribute_of(resource->resource->attributes, resource->resource->n_attributes, "process.executable.name"), process))
			continue;
		for (size_t j = 0; j < scope->n_metrics; j++) {
			for (size_t k = 0; k < scope->metrics[j]->sum->n_data_points; k++) {
				const Otlp__NumberDataPoint *point = scope->metrics[j]->sum->data_points[k];

				if (!strcmp(scope->metrics[j]->name, metric) &&
				    (!area || !strcmp(attribute_of(point->attributes, point->n_attributes, "ktally.area"), area)))
					return point;
			}
		}
	}
	return NULL;
}

static int64_t milliseconds_of(const struct metrics *totals, const char *process, const char *area)
{
	const Otlp__NumberDataPoint *point = point_of(totals, process, "ktally.cpu.time", area);

	return point ? (int64_t)(point->as_double * 1000 + 0.5) : -1;
}

static void grows(void)
{
	struct cumulative *cumulative = cumulative_create(1000);
	struct profile *profile = fake_profile();
	const struct class libz = class_of("native", "native/libz", "libz");
	const Otlp__NumberDataPoint *point;
	struct metrics totals;

	add(profile, "curl", libz, NULL, 1, 1000000000);
	add(profile, "curl", libz, "write", 2, 2000000000);
	take(cumulative, profile, 100, 200, false, &totals);
	check_number(milliseconds_of(&totals, "curl", "native/libz"), 3000, "a scrape has what is new");
	metrics_free(&totals);
	take(cumulative, profile, 100, 300, false, &totals);
	check_number(milliseconds_of(&totals, "curl", "native/libz"), 3000, "another has it once too");
	metrics_free(&totals);
	take(cumulative, profile, 100, 400, true, &totals);
	check_number(milliseconds_of(&totals, "curl", "native/libz"), 3000, "and so has an export");
	point = point_of(&totals, "curl", "samples.user.count", NULL);
	check(point && point->as_int == 3 && point->start_time_unix_nano == 100 && point->time_unix_nano == 400, "counts, and since when");
	check_number(totals.request.resource_metrics[0]->scope_metrics[0]->metrics[0]->sum->aggregation_temporality, 2, "cumulative ones");
	metrics_free(&totals);
	take(cumulative, profile, 400, 500, false, &totals);
	check_number(milliseconds_of(&totals, "curl", "native/libz"), 3000, "what does not grow stays");
	metrics_free(&totals);
	/* Rows of one series: the one that does not grow is forgotten by the tally. */
	for (int i = 0; i < 3; i++) {
		add(profile, "curl", libz, "write", 1, 500000000);
		take(cumulative, profile, 500 + 100 * i, 600 + 100 * i, true, &totals);
		metrics_free(&totals);
		tally_forget(profile->oncpu.tally);
	}
	add(profile, "curl", class_of("cpython", "cpython", NULL), NULL, 1, 1);
	take(cumulative, profile, 800, 900, true, &totals);
	check_number(milliseconds_of(&totals, "curl", "native/libz"), 4500, "the tally forgets a row, and the series does not fall");
	point = point_of(&totals, "curl", "samples.user.count", NULL);
	check_number(point ? point->as_int : -1, 7, "nor does a count");
	point = point_of(&totals, "curl", "samples.cpython.count", NULL);
	check(point && point->as_int == 1 && point->start_time_unix_nano == 800, "a series that comes later begins later");
	point = point_of(&totals, "", "ktally.samples.read", NULL);
	check(point && point->as_int == 7 && point->start_time_unix_nano == 100, "ktally's own counters are there");
	check(totals.self && !strcmp(attribute_of(totals.self->attributes, totals.self->n_attributes, "host.name"), "testhost"), "and ktally itself");
	cumulative_name_instances(&totals);
	for (size_t i = 0; i < totals.request.n_resource_metrics; i++) {
		const Otlp__Resource *resource = totals.request.resource_metrics[i]->resource;

		check_string(attribute_of(resource->attributes, resource->n_attributes, "service.instance.id"),
			     resource == totals.self ? "testhost" : "testhost/curl", "an instance has a name");
	}
	metrics_free(&totals);
	/* The clock was set back. */
	take(cumulative, profile, 10, 20, false, &totals);
	point = point_of(&totals, "curl", "samples.user.count", NULL);
	check(point && point->start_time_unix_nano < point->time_unix_nano, "a start is before its end, whatever the clock");
	metrics_free(&totals);
	fake_free(profile);
	cumulative_destroy(cumulative);
	cumulative_destroy(NULL);
}

/* Windows of ten minutes, in ns. */
#define WINDOW 600000000000

static void ages(void)
{
	struct cumulative *cumulative = cumulative_create(400);
	struct profile *profile = fake_profile();
	const struct class libz = class_of("native", "native/libz", "libz");
	struct metrics totals;
	uint64_t at = 1000;
	size_t count;

	add(profile, "curl", libz, NULL, 1, 1000000000);
	for (int i = 0; i < 6; i++, at += WINDOW) {
		add(profile, "wget", libz, NULL, 1, 1000000000);
		take(cumulative, profile, at, at + WINDOW, true, &totals);
		metrics_free(&totals);
	}
	take(cumulative, profile, at, at + 100 * WINDOW, false, &totals);
	check(milliseconds_of(&totals, "curl", "native/libz") == 1000, "within an hour a series stays, however late it is asked for");
	metrics_free(&totals);
	count = cumulative_count(cumulative);
	for (int i = 0; i < 3; i++, at += WINDOW) {
		add(profile, "wget", libz, NULL, 1, 1000000000);
		take(cumulative, profile, at, at + WINDOW, true, &totals);
		if (i < 2)
			metrics_free(&totals);
	}
	check(milliseconds_of(&totals, "curl", "native/libz") == -1 && cumulative_count(cumulative) < count, "then it goes, if it did not grow");
	check_number(milliseconds_of(&totals, "wget", "native/libz"), 9000, "one that grew does not");
	metrics_free(&totals);
	add(profile, "curl", libz, NULL, 1, 500000000);
	take(cumulative, profile, at, at + WINDOW, true, &totals);
	check_number(milliseconds_of(&totals, "curl", "native/libz"), 500, "should it come back, it begins anew");
	check_number((long long)point_of(&totals, "curl", "ktally.cpu.time", NULL)->start_time_unix_nano, (long long)at, "and says so");
	metrics_free(&totals);
	/* A host that slept a week. */
	take(cumulative, profile, at, at + 1000 * WINDOW, true, &totals);
	check(milliseconds_of(&totals, "wget", "native/libz") == 9000, "a clock that leaps makes nothing old");
	metrics_free(&totals);
	fake_free(profile);
	cumulative_destroy(cumulative);
}

static void forgets(void)
{
	struct cumulative *cumulative = cumulative_create(400);
	struct profile *profile = fake_profile();
	struct metrics totals;
	size_t most = 0;

	for (unsigned int i = 0; i < 2000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "process%u", i);
		add(profile, name, class_of("native", "native/libc", "libc"), NULL, 1, 1000000);
		add(profile, "steady", class_of("native", "native/libc", "libc"), NULL, 1, 1000000);
		take(cumulative, profile, i, i + 1, true, NULL);
		most = cumulative_count(cumulative) > most ? cumulative_count(cumulative) : most;
	}
	check(most >= 390 && most <= 400, "there are at most %zu series", most);
	take(cumulative, profile, 2000, 2001, true, &totals);
	check_number(milliseconds_of(&totals, "steady", "native/libc"), 2000, "what grows is never forgotten");
	check_number(milliseconds_of(&totals, "process1999", "native/libc"), 1, "nor is what came last");
	check_number(milliseconds_of(&totals, "process0", "native/libc"), -1, "what did not grow for the longest time is");
	metrics_free(&totals);
	add(profile, "process0", class_of("native", "native/libc", "libc"), NULL, 1, 5000000);
	take(cumulative, profile, 3000, 3001, true, &totals);
	check_number(milliseconds_of(&totals, "process0", "native/libc"), 5, "it begins anew when it comes again");
	check_number(point_of(&totals, "process0", "samples.user.count", NULL)->start_time_unix_nano, 3000, "and says so");
	metrics_free(&totals);
	for (unsigned int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many%u", i);
		add(profile, name, class_of("native", "native/libc", "libc"), NULL, 1, 1000000);
	}
	take(cumulative, profile, 3001, 3002, true, &totals);
	check_number(milliseconds_of(&totals, "many0", "native/libc"), 1, "more at once than there may be are told");
	metrics_free(&totals);
	take(cumulative, profile, 3002, 3003, true, &totals);
	check(cumulative_count(cumulative) <= 400, "but kept no longer than they grow: %zu", cumulative_count(cumulative));
	check_number(milliseconds_of(&totals, "many999", "native/libc"), 1, "some are, although all are as old");
	metrics_free(&totals);
	fake_free(profile);
	cumulative_destroy(cumulative);
}

int main(void)
{
	grows();
	ages();
	forgets();
	return check_end();
}
