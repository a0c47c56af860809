// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters of the profile as data points. What has gone out of each is in the tally's marks, in the order of the list here. */
#include "export/metrics.h"

struct counter {
	const char *name;		/* counters of the same name follow each other */
	const char *unit, *description;
	const char *key, *attribute;	/* NULL: none */
	uint64_t value;
};

#define CAUSE "ktally.cause"

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
	add(counters, (struct counter){ name, "1", description, NULL, NULL, value });
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
			add(counters, (struct counter){ samples, "1", "Samples taken that did not arrive", CAUSE, causes[i],
							lost[i].count });
	}
	for (unsigned int i = 0; i < KTALLY_LOST_CAUSES; i++) {
		if (causes[i])
			add(counters, (struct counter){ time, "s", "CPU time that lost samples stood for", CAUSE, causes[i],
							lost[i].weight });
	}
	count(counters, "ktally.notices.lost", "Announcements of exec and exit that were lost",
	      lost[KTALLY_LOST_NOTICE].count);
}

static void count_ends(struct counters *counters, const uint64_t *ends)
{
	static const char stacks[] = "ktally.stacks.read";

	for (unsigned int end = KTALLY_END_COMPLETE; end < STACK_ENDS; end++)
		add(counters, (struct counter){ stacks, "1", "User stacks of samples, by how they end", "ktally.stack.end",
						stack_end_names[end], ends[end] });
}

static void count_delivery(struct counters *counters, const struct profile_delivery *delivery)
{
	static const char batches[] = "ktally.export.batches.lost", points[] = "ktally.export.points.lost";
	const struct {
		const char *cause;
		uint64_t batches, points;
	} losses[] = {
		{ "refused", delivery->batches_refused, delivery->points_refused },
		{ "rejected", 0, delivery->points_rejected },
		{ "spool_full", delivery->batches_evicted, delivery->points_evicted },
		{ "memory_full", delivery->batches_dropped, delivery->points_dropped },
		{ "damaged", delivery->batches_damaged, 0 },
	};
	const size_t causes = sizeof(losses) / sizeof(losses[0]);

	count(counters, "ktally.export.requests", "Requests made to destinations", delivery->requests);
	count(counters, "ktally.export.retries", "Requests that have to be made again", delivery->retries);
	count(counters, "ktally.export.batches.added", "Batches to be sent", delivery->batches);
	count(counters, "ktally.export.batches.spooled", "Batches written to the spool", delivery->batches_spooled);
	for (size_t i = 0; i < causes; i++)
		add(counters, (struct counter){ batches, "1", "Batches that were not delivered and never will be", CAUSE,
						losses[i].cause, losses[i].batches });
	for (size_t i = 0; i < causes; i++)
		add(counters, (struct counter){ points, "1", "Data points that were not delivered and never will be", CAUSE,
						losses[i].cause, losses[i].points });
}

static void count_unnamed(struct counters *counters, const struct profile *profile)
{
	static const char name[] = "ktally.stacks.unnamed", description[] = "Stacks past the share of their process or user";

	add(counters, (struct counter){ name, "1", description, CAUSE, "time", profile->stacks_hurried });
	add(counters, (struct counter){ name, "1", description, CAUSE, "memory", profile->stacks_refused });
}

static void count_refused(struct counters *counters, const struct refused *refused)
{
	static const char name[] = "ktally.module.refused", description[] = "What the module refused: more than one user or one stack may take";

	for (unsigned int cause = 0; cause < REFUSED_CAUSES; cause++)
		add(counters, (struct counter){ name, "1", description, CAUSE, refused_names[cause], refused->counts[cause] });
}

static void count_all(struct counters *counters, const struct profile *profile)
{
	struct symbols_statistics symbols = { 0 };

	if (profile->symbols)
		symbols_get_statistics(profile->symbols, &symbols);
	count(counters, "ktally.samples.read", "Samples read", profile->oncpu.samples);
	add(counters, (struct counter){ "ktally.samples.time", "s", "CPU time that the samples read stand for", NULL, NULL,
					profile->oncpu.weight });
	count(counters, "ktally.waits.read", "Waits read", profile->offcpu.samples);
	add(counters, (struct counter){ "ktally.waits.time", "s", "Time that the waits read stand for", NULL, NULL,
					profile->offcpu.weight });
	count_losses(counters, profile->lost);
	count(counters, "ktally.samples.orphaned", "Samples without a task or stack", profile->orphans);
	count(counters, "ktally.samples.capped", "Samples past the cap on series", tally_overflow(profile->oncpu.tally) +
	      tally_overflow(profile->offcpu.tally));
	count(counters, "ktally.records.bad", "Records that were not well-formed", profile->bad_records);
	count(counters, "ktally.throttles", "Changes of the rate by the time budget", profile->throttles);
	count_ends(counters, profile->user_ends);
	count(counters, "ktally.tables.loaded", "Unwind tables given to the module", profile->tables.loaded);
	count(counters, "ktally.tables.failed", "Unwind tables that could not be made or loaded", profile->tables.failed);
	count(counters, "ktally.tables.evicted", "Unwind tables dropped to make room", profile->tables.evicted);
	count(counters, "ktally.frames.named", "Frames with a name", symbols.frames_named);
	count(counters, "ktally.frames.unknown", "Frames without a name", symbols.frames_unknown);
	count(counters, "ktally.names.refused", "Names past the share of their process or user", symbols.names_refused);
	count(counters, "ktally.names.forgotten", "Names that nothing had any more", symbols.names_forgotten);
	count_unnamed(counters, profile);
	count(counters, "ktally.files.failed", "Files whose symbols could not be read", symbols.files_failed);
	count(counters, "ktally.files.evicted", "Symbol tables dropped to make room", symbols.files_evicted);
	count(counters, "ktally.files.hung", "Files whose file system does not answer", profile->tables.files_hung);
	count(counters, "ktally.files.refused", "Files that were not read, as too many of their owner's waited", profile->tables.files_refused);
	count_refused(counters, &profile->refused);
	count_delivery(counters, &profile->delivery);
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
		const struct metrics_attribute attribute = { counter->key, counter->attribute };
		uint64_t value = since(counter->value, metrics->everything ? 0 : marks[i]);
		Otlp__NumberDataPoint *point;

		if (i == 0 || counter->name != counters.list[i - 1].name)
			sum = metrics_add_sum(metrics, scope, counter->name, counter->unit, counter->description);
		if (!value)
			continue;
		point = metrics_add_point(metrics, sum, &attribute, !!counter->key);
		if (*counter->unit == 's')
			metrics_set_seconds(point, value);
		else
			metrics_set_count(point, value);
	}
	metrics_add_accounts(metrics, scope, profile);
}

void metrics_mark_self(struct profile *profile)
{
	uint64_t *marks = tally_marks(profile->oncpu.tally);
	struct counters counters = { .count = 0 };

	count_all(&counters, profile);
	for (size_t i = 0; i < counters.count; i++)
		marks[i] = counters.list[i].value;
	metrics_mark_accounts(profile);
}
