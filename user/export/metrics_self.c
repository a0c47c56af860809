// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters of the profile as data points. What has gone out of each is in the tally's marks, in the order of the list here. */
#include "export/metrics.h"

struct counter {
	const char *name;		/* counters of the same name follow each other */
	const char *unit, *description;
	const char *cause;		/* NULL: does not apply */
	uint64_t value;
};

struct counters {
	struct counter list[TALLY_MARKS];
	size_t count;
};

static void add(struct counters *counters, struct counter counter)
{
	counters->list[counters->count++] = counter;
}

static void count(struct counters *counters, const char *name, const char *description, uint64_t value)
{
	add(counters, (struct counter){ name, "1", description, NULL, value });
}

/* Announcements that were lost are no samples and stand for no time. */
static void count_losses(struct counters *counters, const struct ktally_loss *lost)
{
	static const char *const causes[KTALLY_LOST_CAUSES] = {
		[KTALLY_LOST_FULL] = "ring_full",
		[KTALLY_LOST_BUSY] = "busy",
		[KTALLY_LOST_NOTICE] = NULL,
		[KTALLY_LOST_THREADS] = "threads",
	};

	static const char samples[] = "ktally.samples.lost", time[] = "ktally.samples.lost_time";

	for (unsigned int i = 0; i < KTALLY_LOST_CAUSES; i++) {
		if (causes[i])
			add(counters, (struct counter){ samples, "1", "Samples taken that did not arrive", causes[i],
							lost[i].count });
	}
	for (unsigned int i = 0; i < KTALLY_LOST_CAUSES; i++) {
		if (causes[i])
			add(counters, (struct counter){ time, "s", "CPU time that lost samples stood for", causes[i],
							lost[i].weight });
	}
	count(counters, "ktally.notices.lost", "Announcements of exec and exit that were lost",
	      lost[KTALLY_LOST_NOTICE].count);
}

static void count_all(struct counters *counters, const struct profile *profile)
{
	struct symbols_statistics symbols = { 0 };

	if (profile->symbols)
		symbols_get_statistics(profile->symbols, &symbols);
	count(counters, "ktally.samples.read", "Samples read", profile->oncpu.samples);
	add(counters, (struct counter){ "ktally.samples.time", "s", "CPU time that the samples read stand for", NULL,
					profile->oncpu.weight });
	count(counters, "ktally.waits.read", "Waits read", profile->offcpu.samples);
	add(counters, (struct counter){ "ktally.waits.time", "s", "Time that the waits read stand for", NULL,
					profile->offcpu.weight });
	count_losses(counters, profile->lost);
	count(counters, "ktally.samples.orphaned", "Samples without a task or stack", profile->orphans);
	count(counters, "ktally.samples.capped", "Samples past the tally's cap", tally_overflow(profile->oncpu.tally) +
	      tally_overflow(profile->offcpu.tally));
	count(counters, "ktally.records.bad", "Records that were not well-formed", profile->bad_records);
	count(counters, "ktally.throttles", "Changes of the rate by the time budget", profile->throttles);
	count(counters, "ktally.stacks.truncated", "User stacks with too many frames", profile->stacks_truncated);
	count(counters, "ktally.stacks.broken", "User stacks that break off", profile->stacks_broken);
	count(counters, "ktally.frames.named", "Frames with a name", symbols.frames_named);
	count(counters, "ktally.frames.unknown", "Frames without a name", symbols.frames_unknown);
	count(counters, "ktally.files.failed", "Files whose symbols could not be read", symbols.files_failed);
	count(counters, "ktally.files.evicted", "Symbol tables dropped to make room", symbols.files_evicted);
}

/* A counter that went back counts from there. */
static uint64_t since(uint64_t value, uint64_t mark)
{
	return value > mark ? value - mark : 0;
}

void metrics_add_self(struct metrics *metrics, const struct profile *profile, const struct export_host *host)
{
	Otlp__ScopeMetrics *scope = metrics_add_resource(metrics, host, NULL);
	const uint64_t *marks = tally_marks(profile->oncpu.tally);
	struct counters counters = { .count = 0 };
	Otlp__Sum *sum = NULL;

	count_all(&counters, profile);
	for (size_t i = 0; i < counters.count; i++) {
		const struct counter *counter = &counters.list[i];
		const struct metrics_attribute cause = { "ktally.cause", counter->cause };
		uint64_t value = since(counter->value, metrics->everything ? 0 : marks[i]);
		Otlp__NumberDataPoint *point;

		if (i == 0 || counter->name != counters.list[i - 1].name)
			sum = metrics_add_sum(metrics, scope, counter->name, counter->unit, counter->description);
		if (!value)
			continue;
		point = metrics_add_point(metrics, sum, &cause, 1);
		if (*counter->unit == 's')
			metrics_set_seconds(point, value);
		else
			metrics_set_count(point, value);
	}
}

void metrics_mark_self(struct profile *profile)
{
	uint64_t *marks = tally_marks(profile->oncpu.tally);
	struct counters counters = { .count = 0 };

	count_all(&counters, profile);
	for (size_t i = 0; i < counters.count; i++)
		marks[i] = counters.list[i].value;
}
