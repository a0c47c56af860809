// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the lines of a configuration to the metrics: categories are read, records come in, and the points have the self and inclusive
 * time that went into them, on the CPU and off, once for each window. And what is refused of categories.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/buffer.h"
#include "capture/capture.h"
#include "check.h"
#include "config/categories.h"
#include "export/cumulative.h"
#include "export/elasticsearch.h"
#include "export/export.h"
#include "export/json_lines.h"
#include "export/metrics.h"
#include "export/prometheus.h"
#include "fake_records.h"
#include "said.h"

static const char kallsyms[] =
	"ffffffff81000000 T do_syscall_64\nffffffff81001000 T tcp_sendmsg\nffffffff81002000 T clear_page_erms\n"
	"ffffffff81003000 T futex_wait\nffffffff81004000 T ep_poll\nffffffff81005000 T handle_mm_fault\nffffffff81006000 T _etext\n";

enum { ENTRY = 0, SEND = 1, CLEAR = 2, FUTEX = 3, POLL = 4, FAULT = 5 };

static const char configuration[] =
	"categories:\n"
	"  - name: sending\n"
	"    match:\n"
	"      - function: tcp_sendmsg\n"
	"  - name: clearing\n"
	"    label: clearing of pages\n"
	"    mode: self\n"
	"    match: [ { function: clear_page*, called-by: { function: [tcp_sendmsg, other] } } ]\n"
	"  - name: writing\n"
	"    mode: inclusive\n"
	"    match:\n"
	"      - { syscall: write }\n"
	"  - name: main\n"
	"    match: [ { file: server } ]\n";

static struct document *document;
static struct categories *categories;

static struct profile *begin_profile(size_t series)
{
	const struct profile_options options = { .categories = categories, .series = series };
	const struct capture_item kernel = { .type = CAPTURE_KALLSYMS, .data = kallsyms, .bytes = sizeof(kallsyms) - 1 };
	static const char mappings[] = "00400000-00500000 r-xp 00001000 00:63 77 /opt/bin/server\n";
	const struct capture_item item = { .type = CAPTURE_MAPPINGS, .data = mappings, .bytes = sizeof(mappings) - 1, .mm_id = MM,
					   .path = "/opt/bin/server" };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, MM, 100, 101, "worker");

	profile_feed_item(profile, &kernel);
	feed_task(profile, &task);
	profile_feed_item(profile, &item);
	return profile;
}

/* Kernel frames by their number in kallsyms, leaf first; then main() of the server. */
static void stack(struct profile *profile, uint64_t id, const unsigned int *frames, unsigned int count)
{
	uint64_t kernel[8];
	const uint64_t user[] = { 0x401234 };

	for (unsigned int i = 0; i < count; i++)
		kernel[i] = 0xffffffff81000010 + 0x1000 * (uint64_t)frames[i];
	feed_stack(profile, id, MM, kernel, count, user, 1);
}

/* Seconds of the point with these attributes, as the JSON has them, of a metric; -1: there is none. */
static double seconds(const struct profile *profile, const char *metric, const char *attributes)
{
	char *text = NULL, *at, *end;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);
	struct export_host host = { .name = "h", .id = "", .release = "", .os_name = "", .os_version = "", .realtime = 1, .monotonic = 1 };
	struct buffer wanted = { 0 };
	double result = -1;

	check_number(export_metrics_json(file, profile, 0, &host), 0, "metrics are written");
	fclose(file);
	buffer_format(&wanted, "{\"name\":\"%s\"", metric);
	at = strstr(text, wanted.data);
	end = at ? strstr(at, "]}}") : NULL;
	buffer_clear(&wanted);
	buffer_format(&wanted, "{\"attributes\":[%s]", attributes);
	if (end)
		*end = '\0';
	at = at ? strstr(at, wanted.data) : NULL;
	if (at && strstr(at, "\"asDouble\":"))
		result = strtod(strstr(at, "\"asDouble\":") + strlen("\"asDouble\":"), NULL);
	buffer_free(&wanted);
	free(text);
	return result;
}

#define TEXT(key, value)	"{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define CATEGORY(name, mode)	TEXT("ktally.category", name) "," TEXT("ktally.mode", mode)

static void is(double saw, double wanted, const char *what)
{
	check(saw > wanted - 1e-9 && saw < wanted + 1e-9, "%s: %g s, saw %g", what, wanted, saw);
}

/* Seconds that are new of the points whose first attributes have these values, all owners together. NULL: there is no second one. */
static double new_seconds_of(const struct profile *profile, const char *name, const char *first, const char *second)
{
	const struct export_host host = { .name = "h", .id = "", .release = "", .os_name = "", .os_version = "" };
	struct metrics metrics;
	double sum = 0;

	metrics_init(&metrics, 1, 2, false);
	metrics_add_owners(&metrics, profile, &host);
	for (size_t i = 0; i < metrics.request.n_resource_metrics; i++) {
		const Otlp__ScopeMetrics *scope = metrics.request.resource_metrics[i]->scope_metrics[0];

		for (size_t j = 0; j < scope->n_metrics; j++) {
			const Otlp__Metric *metric = scope->metrics[j];

			for (size_t k = 0; !strcmp(metric->name, name) && k < metric->sum->n_data_points; k++) {
				const Otlp__NumberDataPoint *point = metric->sum->data_points[k];

				if (!strcmp(point->attributes[0]->value->string_value, first) &&
				    (!second || !strcmp(point->attributes[1]->value->string_value, second)))
					sum += point->as_double;
			}
		}
	}
	metrics_free(&metrics);
	return sum;
}

static double new_seconds(const struct profile *profile, const char *category, const char *mode)
{
	return new_seconds_of(profile, "ktally.category.time", category, mode);
}

static void test_time(void)
{
	struct profile *profile = begin_profile(0);
	const struct export_host host = { .name = "h", .id = "", .release = "", .os_name = "", .os_version = "" };
	struct buffer out = { 0 };
	size_t first, second, third;

	stack(profile, 1, (const unsigned int[]){ CLEAR, FAULT, SEND, SEND, ENTRY }, 5);
	stack(profile, 2, (const unsigned int[]){ SEND, ENTRY }, 2);
	stack(profile, 3, (const unsigned int[]){ CLEAR, FAULT }, 2);
	stack(profile, 4, NULL, 0);
	feed_sample(profile, 1, 1, 7 * SECOND, 1 * SECOND, 1, NULL);
	feed_sample(profile, 1, 1, 7 * SECOND, 2 * SECOND, 20, NULL);
	feed_sample(profile, 2, 1, 7 * SECOND, 4 * SECOND, 1, NULL);
	feed_sample(profile, 3, 1, 7 * SECOND, 8 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	feed_sample(profile, 4, 1, 7 * SECOND, 16 * SECOND, KTALLY_SYSCALL_NONE, NULL);

	is(seconds(profile, "ktally.category.time", CATEGORY("sending", "self")), 4, "self time of a function");
	is(seconds(profile, "ktally.category.time", CATEGORY("sending", "inclusive")), 7, "inclusive time, though it is there twice");
	is(seconds(profile, "ktally.category.time", CATEGORY("clearing", "self")), 3, "self time with a caller");
	is(seconds(profile, "ktally.category.time", CATEGORY("clearing", "inclusive")), -1, "a category without inclusive time");
	is(seconds(profile, "ktally.category.time", CATEGORY("writing", "inclusive")), 5, "inclusive time in a system call");
	is(seconds(profile, "ktally.category.time", CATEGORY("main", "inclusive")), 31, "inclusive time of a file");
	is(seconds(profile, "ktally.category.time", CATEGORY("main", "self")), 16, "self time of a file");
	is(seconds(profile, "ktally.cpu.inclusive_time", TEXT("ktally.area", "kernel/network/tcp/write")), 7, "inclusive time of an area");
	is(seconds(profile, "ktally.cpu.inclusive_time", TEXT("ktally.area", "kernel/network")), 7, "of what it is part of");
	is(seconds(profile, "ktally.cpu.inclusive_time", TEXT("ktally.area", "kernel")), 15, "of all of the kernel");
	is(seconds(profile, "ktally.cpu.inclusive_time", TEXT("ktally.area", "kernel/memory")), 11, "of another that was called");
	is(seconds(profile, "ktally.cpu.inclusive_time", TEXT("ktally.area", "native/server")), 31, "of the program that called all of it");
	is(seconds(profile, "ktally.category.offcpu.time", CATEGORY("main", "self")), -1, "nothing waited");
	is(seconds(profile, "ktally.cpu.time", TEXT("ktally.area", "kernel/memory/fault") "," TEXT("cpu.mode", "system") ","
		   TEXT("kernel_area", "memory") "," TEXT("ktally.caller", "native/server")), 8, "kernel time says who called");

	first = export_metrics_protobuf(&out, profile, &host, 1, 2);
	second = export_metrics_protobuf(&out, profile, &host, 2, 3);
	feed_sample(profile, 4, 1, 7 * SECOND, 16 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	is(new_seconds(profile, "main", "self"), 16, "a window has the time that came in it");
	third = export_metrics_protobuf(&out, profile, &host, 3, 4);
	check(first > third, "a window has what came in it: %zu points, then %zu", first, third);
	check_number(second, 0, "none without any");
	is(seconds(profile, "ktally.category.time", CATEGORY("main", "self")), 32, "a file has all of it");
	buffer_free(&out);
	profile_destroy(profile);
}

static void test_waits(void)
{
	const struct export_host host = { .name = "h", .id = "", .release = "", .os_name = "", .os_version = "", .cpus = 1 };
	struct profile *profile = begin_profile(0);
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);
	struct ktally_offcpu wait = wait_record(1, 1, 10 * SECOND, 3 * SECOND, 1 * SECOND, 0);

	stack(profile, 1, (const unsigned int[]){ FUTEX, SEND, ENTRY }, 3);
	stack(profile, 2, (const unsigned int[]){ POLL, SEND, ENTRY }, 3);
	feed_wait(profile, &wait);
	wait = wait_record(2, 1, 20 * SECOND, 5 * SECOND, 0, 0);
	feed_wait(profile, &wait);
	is(seconds(profile, "ktally.category.offcpu.time", CATEGORY("sending", "inclusive") "," TEXT("ktally.cause", "lock/futex")), 3,
	   "a category's time blocked");
	is(seconds(profile, "ktally.category.offcpu.time", CATEGORY("sending", "inclusive") "," TEXT("ktally.cause", "run queue")), 1,
	   "and on the run queue");
	is(seconds(profile, "ktally.category.offcpu.time", CATEGORY("sending", "inclusive") "," TEXT("ktally.cause", "idle/poll")), 5,
	   "and idle");
	is(seconds(profile, "ktally.offcpu.inclusive_time", TEXT("ktally.area", "kernel/network/tcp/write")), 4,
	   "areas have all causes together, but no idle ones");
	is(seconds(profile, "ktally.category.time", CATEGORY("sending", "inclusive")), -1, "nothing ran");
	check_number(export_breakdown(file, profile, 0, &host), 0, "a report of waits");
	fclose(file);
	check(strstr(text, "\n        0.00    0.0 %        4.00  100.0 %  sending\n") && strstr(text, "  WAITS OF CATEGORIES\n"),
	      "tells those of categories, without idle ones");
	check(strstr(text, "  WAITS IN AREAS, LIBRARIES, PROGRAMS\n") && strstr(text, "        4.00  100.0 %  kernel/network\n"), "and in areas");
	free(text);
	profile_destroy(profile);
}

static void keep_batch(void *context, const struct buffer *batch, size_t documents)
{
	(void)documents;
	buffer_append(context, batch->data, batch->bytes);
}

/* By the names that each destination has for metrics and attributes. */
static void test_destinations(void)
{
	const struct export_host host = { .name = "h", .id = "", .release = "", .os_name = "", .os_version = "" };
	struct cumulative *cumulative = cumulative_create(1000);
	struct profile *profile = begin_profile(0);
	struct buffer page = { 0 }, lines = { 0 }, documents = { 0 };
	struct metrics metrics, totals;

	stack(profile, 1, (const unsigned int[]){ SEND, ENTRY }, 2);
	feed_sample(profile, 1, 1, 7 * SECOND, 2 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	metrics_build(&metrics, profile, &host, 1, 2, false);
	cumulative_take(cumulative, &metrics, true, &totals);
	prometheus_write(&page, &totals, PROMETHEUS_TEXT);
	json_lines(&lines, &metrics);
	elasticsearch_write(&metrics, "default", keep_batch, &documents);
	check(strstr(page.data, "\nktally_category_time_seconds_total{"), "Prometheus gets categories");
	check(strstr(page.data, "ktally_category=\"sending\",ktally_mode=\"self\"} 2\n"), "with their names");
	check(strstr(page.data, "\nktally_cpu_inclusive_time_seconds_total{"), "and inclusive time");
	check(strstr(lines.data, "\"metric\":\"ktally.category.time\",\"unit\":\"s\",\"value\":2.000000000,"), "JSON lines have categories");
	check(strstr(documents.data, "\"ktally.category.name\":\"sending\""), "Elasticsearch gets them");
	check(strstr(documents.data, "\"ktally.category.time\":2,"), "with their time");
	check(strstr(documents.data, "\"ktally.cpu.inclusive_time\":2,"), "and inclusive time");
	export_metrics_mark(profile);
	metrics_free(&metrics);
	metrics_build(&metrics, profile, &host, 2, 3, false);
	check_number(metrics.points, 0, "all of it once");
	metrics_free(&metrics);
	metrics_free(&totals);
	cumulative_destroy(cumulative);
	buffer_free(&page);
	buffer_free(&lines);
	buffer_free(&documents);
	profile_destroy(profile);
}

/* An owner past the cap has its topics in "other", with its time. */
static void test_many_owners(void)
{
	struct profile *profile = begin_profile(1000);
	const double each = 0.001;
	unsigned int count = 400;
	struct metrics metrics;
	const struct export_host host = { .name = "h", .id = "", .release = "", .os_name = "", .os_version = "" };

	for (unsigned int i = 0; i < count; i++) {
		char name[16];
		struct ktally_task task;

		snprintf(name, sizeof(name), "p%u", i);
		task = task_record(100 + i, 0, 1000 + i, 1000 + i, name);
		feed_task(profile, &task);
		feed_stack(profile, 100, 0, (const uint64_t[]){ 0xffffffff81001010 }, 1, NULL, 0);
		feed_sample(profile, 100, 100 + i, 7 * SECOND, (uint64_t)(each * 1e9), KTALLY_SYSCALL_NONE, NULL);
	}
	metrics_init(&metrics, 1, 2, false);
	metrics_add_owners(&metrics, profile, &host);
	metrics_trim(&metrics);
	check_number(metrics.request.n_resource_metrics, 99, "a resource for each owner that there was room for, but two names of an idle task, and other");
	metrics_free(&metrics);
	is(new_seconds(profile, "sending", "self"), count * each, "all of their self time together");
	is(new_seconds(profile, "sending", "inclusive"), count * each, "and of their inclusive time");
	profile_destroy(profile);
}

/* Past the cap of the tally a process has no resource; its categories go where its time goes. */
static void test_capped(void)
{
	struct series *series = series_create(20 + 2);		/* what is left for "other", and a row of the kernel */
	struct profile *profile = begin_profile(0);
	struct ktally_task task = task_record(2, 0, 200, 200, "second");

	tally_destroy(profile->oncpu.tally);
	profile->oncpu.tally = tally_create(series, owners_other(profile->owners));
	feed_task(profile, &task);
	feed_stack(profile, 100, 0, (const uint64_t[]){ 0xffffffff81001010 }, 1, NULL, 0);
	feed_sample(profile, 100, 1, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	feed_sample(profile, 100, 2, 7 * SECOND, 2 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	check_number(tally_overflow(profile->oncpu.tally), 1, "one sample is past the cap");
	is(new_seconds(profile, "sending", "self"), 3, "no time of a category is lost to it");
	profile_destroy(profile);
	series_destroy(series);
}

/* Past the cap of the topics' tally time is of "other", which may have no other time. */
static void test_topics_capped(void)
{
	struct profile *profile = begin_profile(0);
	struct ktally_task task = task_record(2, 0, 200, 200, "second");
	struct series *series = series_create(20);	/* 16 of owners, 2 of other, and 2 */

	topic_tally_destroy(profile->oncpu.topics);
	profile->oncpu.topics = topic_tally_create(series, profile->topics, owners_other(profile->owners));
	feed_task(profile, &task);
	stack(profile, 1, (const unsigned int[]){ SEND, ENTRY }, 2);
	stack(profile, 2, (const unsigned int[]){ CLEAR, SEND, ENTRY }, 3);
	feed_stack(profile, 3, 0, (const uint64_t[]){ 0xffffffff81001010 }, 1, NULL, 0);
	feed_stack(profile, 4, 0, (const uint64_t[]){ 0xffffffff81005010 }, 1, NULL, 0);
	feed_sample(profile, 1, 1, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	feed_sample(profile, 2, 1, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	feed_sample(profile, 3, 2, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	feed_sample(profile, 4, 2, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	check_number(tally_overflow(profile->oncpu.tally), 0, "no sample is past the tally's cap");
	check_number(series_count(series), 11 + 6 + 1, "two stacks are their owner's, of one there is room for its topics, of another for none");
	is(new_seconds(profile, "sending", "inclusive"), 3, "time of a category is kept as long as there is room");
	is(new_seconds_of(profile, "ktally.cpu.inclusive_time", "other", NULL), 1, "then it is of the area \"other\"");
	profile_destroy(profile);
	series_destroy(series);
}

/* What a stack remembers of rows goes with these. */
static void test_forgotten(void)
{
	struct profile *profile = begin_profile(200);
	struct ktally_task task = task_record(1, MM, 100, 101, "worker"), other;
	size_t rows, all;

	for (unsigned int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", i);
		other = task_record(100 + i, 0, 1000 + i, 1000 + i, name);
		feed_task(profile, &other);
		stack(profile, 2, (const unsigned int[]){ SEND, ENTRY }, 2);
		feed_sample(profile, 2, 100 + i, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	}
	for (unsigned int round = 0; round < 3; round++) {
		feed_task(profile, &task);
		stack(profile, 1, (const unsigned int[]){ SEND, ENTRY }, 2);
		if (round == 0)
			feed_sample(profile, 1, 1, 7 * SECOND, 1 * SECOND, KTALLY_SYSCALL_NONE, NULL);
		topic_tally_rows(profile->oncpu.topics, round ? &rows : &all);
		export_metrics_mark(profile);
		profile_forget(profile);
	}
	topic_tally_rows(profile->oncpu.topics, &rows);
	check(all >= 10 && rows == 0, "idle rows are forgotten: %zu, then %zu", all, rows);
	check(owners_count(profile->owners) <= 3, "and owners, but that of a task that is there");
	stack(profile, 1, (const unsigned int[]){ SEND, ENTRY }, 2);
	check(map_get(&profile->stacks, 1) && ((struct stack *)map_get(&profile->stacks, 1))->named, "while the stack is known");
	feed_sample(profile, 1, 1, 7 * SECOND, 2 * SECOND, KTALLY_SYSCALL_NONE, NULL);
	is(new_seconds(profile, "sending", "self"), 2, "its time goes to new ones");
	profile_destroy(profile);
}

static void refuses(const char *text, const char *wanted)
{
	struct document *bad = NULL;
	struct categories *none;
	const char *message;

	check_number(document_parse(&bad, "here.yaml", text, strlen(text)), 0, "YAML: %s", text);
	none = config_categories(bad, "none");
	message = said();
	check(!none && strstr(message, wanted), "is refused with \"%s\"", wanted);
	if (none || !strstr(message, wanted))
		printf("# %s\n", message);
	categories_destroy(none);
	document_free(bad);
}

static void test_refusals(void)
{
	refuses("categories: 3", "here.yaml:1: \"categories\" must be a list");
	refuses("categories: [ a ]", "here.yaml:1: a category must have a name and a match");
	refuses("categories:\n  - label: a", "here.yaml:2: a category needs a name");
	refuses("categories:\n  - name: \"a b\"", "here.yaml:2: a category needs a name");
	refuses("categories:\n  - name: a", "here.yaml:2: the category \"a\" needs a list of matches");
	refuses("categories:\n  - name: a\n    match: { function: f }", "here.yaml:3: the category \"a\" needs a list");
	refuses("categories:\n  - name: a\n    colour: f", "here.yaml:3: a category has no \"colour\"");
	refuses("categories:\n  - name: a\n    mode: all\n    match: [ { function: f } ]", "here.yaml:3: \"mode\" must be self, inclusive or both");
	refuses("categories:\n  - name: a\n    match: [ f ]", "here.yaml:3: a match must be lines");
	refuses("categories:\n  - name: a\n    match: [ { } ]", "here.yaml:3: a match needs a condition");
	refuses("categories:\n  - name: a\n    match: [ { at: leaf } ]", "here.yaml:3: a match needs a condition");
	refuses("categories:\n  - name: a\n    match: [ { at: root, function: f } ]", "here.yaml:3: \"at\" must be leaf or anywhere");
	refuses("categories:\n  - name: a\n    match:\n      - functions: f\n", "here.yaml:4: a match needs a condition");
	refuses("categories:\n  - name: a\n    match:\n      - function: f\n        module: f\n", "here.yaml:5: there is no condition \"module\"");
	refuses("categories:\n  - name: a\n    match:\n      - function: f*g\n", "here.yaml:4: \"f*g\" is not a pattern");
	refuses("categories:\n  - name: a\n    match:\n      - function: [ f, \"\" ]\n", "here.yaml:4: \"\" is not a pattern");
	refuses("categories:\n  - name: a\n    match:\n      - function: []\n", "here.yaml:4: \"function\" must be a pattern or a list");
	refuses("categories:\n  - name: a\n    match:\n      - function: [ [ f ] ]\n", "here.yaml:4: a pattern must be a text");
	refuses("categories:\n  - name: a\n    match:\n      - syscall: read\n        called-by: { function: f }\n",
		"here.yaml:4: called-by and calls need a condition on the frame");
	refuses("categories:\n  - name: a\n    match:\n      - function: f\n        called-by: g\n", "here.yaml:5: under \"called-by\" there must be");
	refuses("categories:\n  - name: a\n    match:\n      - function: f\n        calls: { area: g }\n", "here.yaml:5: \"area\" is of the whole stack");
	refuses("categories:\n  - name: a\n    match:\n      - function: f\n        calls: { at: leaf }\n", "here.yaml:5: there is no condition \"at\"");
	refuses("categories:\n  - name: a\n    match: [ { function: f } ]\n  - name: a\n    match: [ { function: f } ]\n",
		"here.yaml:4: there is a category \"a\" already");
}

int main(void)
{
	if (!said_begin() || document_parse(&document, "test.yaml", configuration, sizeof(configuration) - 1))
		return 1;
	categories = config_categories(document, "none");
	if (!check(categories && categories_count(categories) == 4, "four categories are read"))
		return check_end();
	check_string(categories_get(categories, 1)->label, "clearing of pages", "a label");
	check_string(categories_get(categories, 0)->label, "sending", "the name, where there is none");
	test_time();
	test_waits();
	test_destinations();
	test_many_owners();
	test_capped();
	test_topics_capped();
	test_forgotten();
	test_refusals();
	categories_destroy(categories);
	document_free(document);
	return check_end();
}
