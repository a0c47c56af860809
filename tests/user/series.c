// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cap on series: of tally/series.h by itself, and of what is exported, whatever names and stacks come: points are counted as a
 * destination sees them, in windows and as cumulative sums.
 */
#include <inttypes.h>

#include "capture/capture.h"
#include "check.h"
#include "config/categories.h"
#include "export/cumulative.h"
#include "export/metrics.h"
#include "fake_records.h"
#include "tally/series.h"

#define CAP		1000
#define OF_KTALLY	256

static const struct export_host host = { .name = "h", .id = "", .os_name = "", .os_version = "" };

static void by_itself(void)
{
	struct series *series = series_create(10);
	const uint64_t keys[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

	check(series_hold(series, keys, 3, 0) && series_hold(series, keys, 2, 0), "several rows can have a series");
	check_number(series_count(series), 3, "which counts once");
	check(!series_hold(series, keys, 11, 0), "there are no more than there may be");
	check_number(series_count(series), 3, "and what there was no room for has none");
	check(!series_hold(series, keys, 9, 2) && series_hold(series, keys, 8, 2), "some can be left for others");
	check(series_hold(series, keys, 10, 0), "who take them");
	check(series_hold(series, keys, 8, 5), "what is there already needs no room");
	check(series_hold(series, keys, 11, SERIES_ALWAYS), "some must have it");
	series_release(series, keys, 11);
	series_release(series, keys, 8);
	series_release(series, keys, 10);
	check_number(series_count(series), 8, "a series goes with the last row that has it");
	series_release(series, keys, 8);
	check_number(series_count(series), 3, "not before");
	check(series_hold(NULL, keys, 11, 5) && series_most(NULL) == SIZE_MAX, "without a cap there is room");
	series_destroy(series);
	series_destroy(NULL);
}

static const char configuration[] =
	"categories:\n"
	"  - name: reading\n"
	"    match: [ { syscall: read } ]\n"
	"  - name: everything\n"
	"    match: [ { file: \"n*\" } ]\n";

/* A program of its own, with a stack of its own, that runs and waits in several system calls. */
static void feed_stranger(struct profile *profile, unsigned int number, uint64_t time)
{
	const uint64_t mm_id = 1000 + number, id = 1000 + number;
	char name[16], path[32], mappings[160];
	struct ktally_task task;

	snprintf(name, sizeof(name), "n%u", number);
	snprintf(path, sizeof(path), "/opt/bin/%s", name);
	snprintf(mappings, sizeof(mappings), "00400000-00500000 r-xp 00001000 00:63 %u %s\n00500000-00600000 r-xp 00001000 00:63 %u "
		 "/opt/lib/lib%s.so\n", number * 2 + 1, path, number * 2 + 2, name);
	task = task_record(id, mm_id, 100 + number, 100 + number, name);
	task.time = time;
	profile_feed(profile, &task.header, NULL);
	profile_feed_item(profile, &(struct capture_item){
		.type = CAPTURE_MAPPINGS, .data = mappings, .bytes = strlen(mappings), .mm_id = mm_id, .path = path });
	feed_stack(profile, id, mm_id, NULL, 0, (const uint64_t[]){ 0x501234, 0x401234 }, 2);
	for (int syscall = 0; syscall < 4; syscall++) {
		struct ktally_offcpu wait = wait_record(id, id, time, 1000, 100, 0);

		wait.syscall = syscall;
		feed_sample(profile, id, id, time, 1000, syscall, NULL);
		profile_feed(profile, &wait.header, NULL);
	}
}

/* Data points of owners; what they have of a metric, in ns. */
static size_t count_points(const struct metrics *metrics, const char *name, uint64_t *nanoseconds)
{
	size_t points = 0;

	*nanoseconds = 0;
	for (size_t i = 0; i < metrics->request.n_resource_metrics; i++) {
		const Otlp__ResourceMetrics *resource = metrics->request.resource_metrics[i];

		if (resource->resource == metrics->self)
			continue;
		for (size_t j = 0; j < resource->scope_metrics[0]->n_metrics; j++) {
			const Otlp__Metric *metric = resource->scope_metrics[0]->metrics[j];

			points += metric->sum->n_data_points;
			for (size_t k = 0; !strcmp(metric->name, name) && k < metric->sum->n_data_points; k++)
				*nanoseconds += (uint64_t)(metric->sum->data_points[k]->as_double * 1e9 + 0.5);
		}
	}
	return points;
}

static void against_strangers(struct categories *categories)
{
	const struct profile_options options = { .classes_only = true, .series = CAP, .categories = categories };
	struct profile *profile = profile_create(&options);
	struct cumulative *cumulative = cumulative_create(CAP + OF_KTALLY);
	size_t most = 0, most_of_all = 0;
	bool is_right = true;

	for (unsigned int round = 0; round < 8; round++) {
		struct metrics new, totals;
		uint64_t ran, waited;
		size_t points;

		for (unsigned int i = 0; i < 1000; i++)
			feed_stranger(profile, round * 1000 + i, (10 + round) * SECOND);
		metrics_build(&new, profile, &host, round + 1, round + 2, false);
		cumulative_take(cumulative, &new, true, &totals);
		count_points(&new, "ktally.offcpu.time", &waited);
		points = count_points(&new, "ktally.cpu.time", &ran);
		is_right &= ran == 4 * 1000 * 1000 && waited == 4 * 1000 * 1100;
		most = points > most ? points : most;
		points = count_points(&totals, "ktally.cpu.time", &ran);
		most_of_all = points > most_of_all ? points : most_of_all;
		metrics_free(&totals);
		metrics_free(&new);
		export_metrics_mark(profile);
		profile_forget(profile);
	}
	check(most <= CAP, "there are at most %d points of owners in an export: %zu", CAP, most);
	check(most > CAP / 2, "and not much fewer, when there are thousands");
	check(most_of_all <= CAP + OF_KTALLY, "nor of what was ever exported: %zu", most_of_all);
	check(is_right, "all the time is there, each time");
	check(tally_overflow(profile->oncpu.tally) && tally_overflow(profile->offcpu.tally), "what there was no room for is counted");
	cumulative_destroy(cumulative);
	profile_destroy(profile);
}

/* Waits past every cap are still none that ran. */
static void waits_apart(struct categories *categories)
{
	const struct profile_options options = { .series = 100, .categories = categories };
	struct profile *profile = profile_create(&options);
	struct metrics metrics;
	uint64_t ran, waited;

	for (unsigned int i = 0; i < 300; i++)
		feed_stranger(profile, i, 10 * SECOND);
	metrics_build(&metrics, profile, &host, 1, 2, true);
	check(count_points(&metrics, "ktally.offcpu.time", &waited) <= 100, "a cap of a hundred holds");
	count_points(&metrics, "ktally.cpu.time", &ran);
	check(ran == 300 * 4 * 1000 && waited == 300 * 4 * 1100, "with all the time");
	count_points(&metrics, "ktally.cpu.inclusive_time", &ran);
	check(ran <= 2 * 300 * 4 * 1000, "no wait is counted as time that ran: %" PRIu64, ran);
	metrics_free(&metrics);
	profile_destroy(profile);
}

int main(void)
{
	struct document *document;
	struct categories *categories;

	if (document_parse(&document, "test.yaml", configuration, sizeof(configuration) - 1))
		return 1;
	categories = config_categories(document, "none");
	if (!check(categories, "categories are read"))
		return check_end();
	by_itself();
	against_strangers(categories);
	waits_apart(categories);
	categories_destroy(categories);
	document_free(document);
	return check_end();
}
