// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The breakdown: what a profile says, on one page, for people. First what was measured and how much of it can be
 * trusted, then where CPU time went, then what threads waited for, if that was recorded. Shares are of the time that samples stand for, never of their number.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export/accuracy.h"
#include "export/export.h"
#include "export/inclusive.h"
#include "export/output.h"
#include "export/shares.h"
#include "export/table.h"

#define ROWS_MOST	12

/* Areas below this share of all time are left out of the tree, if others are there to be seen. */
#define AREA_PERCENT_LEAST	0.05

/* How good the samples are, in ns of the time that they stand for. */
struct quality {
	uint64_t all;
	uint64_t unnamed;		/* the leaf's function is not known */
	uint64_t user;			/* has a user stack, of whatever sort */
	uint64_t truncated, broken;	/* has one that is not whole */
};

static struct quality measure(const struct profile *profile)
{
	struct quality quality = { 0 };

	for (struct map_slot *slot = map_next(&profile->oncpu.cells, NULL); slot; slot = map_next(&profile->oncpu.cells, slot)) {
		const struct profile_cell *cell = slot->value;
		const struct stack *stack = cell->stack;

		quality.all += cell->weight;
		if (!(stack->kernel_frames + stack->user_frames) || !stack->frames[0].function)
			quality.unnamed += cell->weight;
		if (stack->user_end != KTALLY_END_NONE)
			quality.user += cell->weight;
		if (stack->user_end == KTALLY_END_TRUNCATED)
			quality.truncated += cell->weight;
		if (stack->user_end >= KTALLY_END_BROKEN)
			quality.broken += cell->weight;
	}
	return quality;
}

static const char *clock_name(uint32_t clock)
{
	switch (clock) {
	case KTALLY_CLOCK_CPU:
		return "by timer";
	case KTALLY_CLOCK_CYCLES:
		return "by hardware cycles";
	case KTALLY_CLOCK_REF_CYCLES:
		return "by hardware reference cycles";
	}
	return "by an unknown clock";
}

/* How many stacks and processes were sampled; others were announced, and their sample was lost, or they only waited. */
static void count_sampled(const struct profile *profile, size_t *stacks, size_t *processes)
{
	const struct map *cells = &profile->oncpu.cells;
	struct map ids = { 0 }, pids = { 0 };

	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot)) {
		const struct profile_cell *cell = slot->value;

		map_put(&ids, cell->stack->id, slot->value);
		map_put(&pids, cell->task->pid, slot->value);
	}
	*stacks = ids.used;
	*processes = pids.used;
	map_free(&ids);
	map_free(&pids);
}

static void write_count(struct buffer *text, const char *title, uint64_t count, const char *remark)
{
	buffer_format(text, "  %-14s%12" PRIu64 "  %s\n", title, count, remark);
}

static void write_loss(struct buffer *text, const struct ktally_loss *loss, uint64_t all, const char *cause)
{
	if (loss->count)
		buffer_format(text, "  %-14s%12" PRIu64 "  %.2f %% of the samples, %.2f s: %s\n", "lost",
			      (uint64_t)loss->count, table_percent(loss->count, all), (double)loss->weight / 1e9,
			      cause);
}

static void write_refusals(struct buffer *text, const struct profile *profile)
{
	struct symbols_statistics symbols = { 0 };

	if (profile->symbols)
		symbols_get_statistics(profile->symbols, &symbols);
	if (symbols.names_refused)
		write_count(text, "names refused", symbols.names_refused, "to processes past their share of the memory for names");
	if (profile->stacks_hurried)
		write_count(text, "unnamed stacks", profile->stacks_hurried, "of processes past their share of the time for naming them");
	if (profile->stacks_refused)
		write_count(text, "dropped stacks", profile->stacks_refused, "of processes past their share of the memory for frames");
}

/* Nothing may be missing without a word. Each line: what, how much, why or what to do about it. */
static void write_losses(struct buffer *text, const struct profile *profile)
{
	const struct ktally_loss *full = &profile->lost[KTALLY_LOST_FULL], *busy = &profile->lost[KTALLY_LOST_BUSY];
	const struct ktally_loss *notices = &profile->lost[KTALLY_LOST_NOTICE];
	const struct ktally_loss *threads = &profile->lost[KTALLY_LOST_THREADS];
	uint64_t all = profile->oncpu.samples + profile->offcpu.samples + full->count + busy->count;

	if (!full->count && !busy->count)
		buffer_format(text, "  %-14s%12s\n", "lost", "none");
	write_loss(text, full, all, "the reader was late; larger rings help");
	write_loss(text, busy, all, "interrupts were off for long");
	if (threads->count)
		write_count(text, "lost", threads->count, "waits of more threads than can be followed");
	if (notices->count)
		write_count(text, "lost", notices->count, "announcements of exec and exit, not samples");
	write_refusals(text, profile);
	if (profile->orphans)
		write_count(text, "orphans", profile->orphans,
			    "samples of a task or stack that was not announced: below as \"unknown\"");
	if (profile->bad_records)
		write_count(text, "left out", profile->bad_records, "records that cannot be understood");
	if (profile->throttles)
		write_count(text, "thinned", profile->throttles,
			    "times, to stay within the time budget; totals stay right");
}

static void write_quality(struct buffer *text, const struct profile *profile)
{
	struct quality quality = measure(profile);

	if (!quality.all)
		return;
	buffer_format(text, "  %-14s%10.1f %%  of the time the function that ran is known; else its file counts\n",
		      "named", 100 - table_percent(quality.unnamed, quality.all));
	if (!quality.user)
		return;
	buffer_format(text, "  %-14s%10.1f %%  of the time in processes the user stack is whole", "whole stacks",
		      100 - table_percent(quality.truncated + quality.broken, quality.user));
	if (quality.broken)
		buffer_format(text, ";\n  %-14s%10.1f %%  breaks off: `ktally report --ends` tells where",
			      "", table_percent(quality.broken, quality.user));
	if (quality.truncated)
		buffer_format(text, ";\n  %-14s%10.1f %%  is deeper than was asked for (--depth)", "",
			      table_percent(quality.truncated, quality.user));
	buffer_string(text, "\n");
}

static void write_head(struct buffer *text, const struct profile *profile, const struct export_host *host)
{
	size_t stacks, processes;
	double seconds = (double)(profile->last_time - profile->first_time) / 1e9, busy = (double)profile->oncpu.weight / 1e9;

	buffer_format(text, "%s, Linux %s: %.1f s at %u samples per second and CPU, %s\n\n",
		      host->name ? host->name : "?", host->release ? host->release : "?", seconds, host->rate,
		      clock_name(host->clock));
	buffer_format(text, "  %-14s%10.2f s", "CPU time", busy);
	if (seconds > 0)
		buffer_format(text, "  %.2f of %u CPUs were busy", busy / seconds, host->cpus);
	buffer_string(text, "\n");
	if (host->cpus_left_out && *host->cpus_left_out)
		buffer_format(text, "  %-14s%12s  CPUs %s were not sampled: nothing below is of them\n", "left out", "", host->cpus_left_out);
	accuracy_write_host(text, profile, host);
	count_sampled(profile, &stacks, &processes);
	buffer_format(text, "  %-14s%12" PRIu64 "  of %zu stacks in %zu processes\n", "samples", profile->oncpu.samples,
		      stacks, processes);
	if (profile->offcpu.weight)
		buffer_format(text, "  %-14s%10.2f s  in %" PRIu64 " records of waits\n", "waiting",
			      (double)profile->offcpu.weight / 1e9, profile->offcpu.samples);
	write_losses(text, profile);
	write_quality(text, profile);
}

static void write_areas(struct buffer *text, const struct profile *profile, uint64_t total)
{
	size_t count;
	struct area *areas = shares_of_areas(profile->oncpu.tally, &count);

	table_heading(text, "WHERE CPU TIME WENT", "");
	for (size_t i = 0; i < count; i++) {
		if (!areas[i].level || table_percent(areas[i].weight, total) >= AREA_PERCENT_LEAST)
			table_row(text, 2 * areas[i].level, areas[i].name, areas[i].weight, total, total, NULL, 0);
	}
	free(areas);
}

/* total: what is 100 percent; 0: all that the dimension has. */
static void write_shares(struct buffer *text, const struct tally *tally, uint64_t total,
			 shares_dimension *dimension, const char *title, const char *remark)
{
	size_t count, shown;
	struct share *shares = shares_of(tally, dimension, &count);
	char more[32];
	uint64_t rest = 0, all = 0;

	for (size_t i = 0; i < count; i++)
		all += shares[i].weight;
	if (!total)
		total = all;

	shown = count <= ROWS_MOST + 1 ? count : ROWS_MOST;	/* "1 more" would take as much room as the one */
	if (count)
		table_heading(text, title, remark);
	for (size_t i = 0; i < shown; i++)
		table_row(text, 0, shares[i].name, shares[i].weight, total, shares[0].weight, shares[i].most,
			  (unsigned int)(table_percent(shares[i].most_weight, shares[i].weight) + 0.5));
	for (size_t i = shown; i < count; i++)
		rest += shares[i].weight;
	snprintf(more, sizeof(more), "%zu more", count - shown);
	if (shown < count)
		table_row(text, 0, more, rest, total, shares[0].weight, NULL, 0);
	free(shares);
}

static void write_cpu_time(struct buffer *text, const struct profile *profile, uint64_t total)
{
	const struct tally *tally = profile->oncpu.tally;

	write_areas(text, profile, total);
	write_shares(text, tally, total, shares_by_code, "USER CODE", "mostly in");
	if (shares_have_services(tally))
		write_shares(text, tally, total, shares_by_service, "SERVICES", "mostly");
	write_shares(text, tally, total, shares_by_container, "CONTAINERS", "mostly");
	write_shares(text, tally, total, shares_by_process, "PROCESSES", "mostly");
	write_shares(text, tally, total, shares_by_syscall, "SYSTEM CALLS", "mostly");
	accuracy_write_cgroups(text, profile, ROWS_MOST);
	inclusive_write(text, profile, KTALLY_SOURCE_ONCPU);
}

static void write_waits(struct buffer *text, const struct profile *profile)
{
	const struct tally *tally = profile->offcpu.tally;

	write_shares(text, tally, 0, shares_by_cause, "WHAT THREADS WAITED FOR", "mostly");
	if (shares_have_services(tally))
		write_shares(text, tally, 0, shares_by_waiting_service, "WAITS OF SERVICES", "mostly");
	write_shares(text, tally, 0, shares_by_waiting_container, "WAITS OF CONTAINERS", "mostly");
	inclusive_write(text, profile, KTALLY_SOURCE_OFFCPU);
	write_shares(text, tally, 0, shares_by_idle_cause, "IDLE, WAITING FOR WORK", "mostly");
}

int export_breakdown(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	struct output output = { .file = file };
	struct tally_row **rows;
	uint64_t total = 0, overflow;
	size_t count;

	(void)sources;
	write_head(&output.buffer, profile, host);
	rows = tally_rows(profile->oncpu.tally, &count);
	for (size_t i = 0; i < count; i++)
		total += rows[i]->weight;
	if (total)
		write_cpu_time(&output.buffer, profile, total);
	write_waits(&output.buffer, profile);
	overflow = tally_overflow(profile->oncpu.tally) + tally_overflow(profile->offcpu.tally);
	if (overflow)
		buffer_format(&output.buffer,
			      "\n%" PRIu64 " samples of too many different kinds are under \"other\".\n",
			      overflow);
	return output_finish(&output);
}
