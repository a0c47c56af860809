// SPDX-License-Identifier: GPL-2.0-or-later
/* What a live session says of what it could not take. */
#include <inttypes.h>

#include "profile/tenant.h"
#include "session/live.h"
#include "session/session.h"

/* Of samples and kept waits. */
static const char *const causes[] = {
	[KTALLY_LOST_FULL] = "ring full",
	[KTALLY_LOST_BUSY] = "interrupts off too long",
};

static void add_part(struct buffer *text, bool *first, uint64_t count, const char *what)
{
	if (!count)
		return;
	buffer_format(text, "%s%" PRIu64 " %s", *first ? "" : ", ", count, what);
	*first = false;
}

static void add_refusal(struct buffer *text, const char *what, uint64_t now, uint64_t *told)
{
	if (now > *told)
		buffer_format(text, "%s%" PRIu64 " %s", text->bytes ? ", " : "", now - *told, what);
	*told = now;
}

static void add_tenant(struct buffer *text, const struct profile *profile, uint32_t tenant)
{
	if (tenant == POOL_NOBODY) {
		buffer_string(text, ", the last of one that was gone before it was known whose it is");
		return;
	}
	buffer_string(text, ", the last ");
	tenant_describe(profile->cgroups, tenant, text);
}

void live_describe_refusals(struct live *live, struct buffer *text)
{
	const struct profile *profile = live->profile;
	struct symbols_statistics symbols;
	bool names;

	symbols_get_statistics(profile->symbols, &symbols);
	names = symbols.names_refused > live->told.names;
	add_refusal(text, "names of processes past their share of the memory for names", symbols.names_refused, &live->told.names);
	add_refusal(text, "stacks of processes past their share of the time for naming", profile->stacks_hurried, &live->told.hurried);
	add_refusal(text, "stacks of processes past their share of the memory for frames", profile->stacks_refused, &live->told.frames);
	if (text->bytes)
		add_tenant(text, profile, names ? symbols.refused_user : profile->hurried_user);
	if (profile->tables.files_refused > live->told.files) {
		add_refusal(text, "files of an owner too many of whose waited to be read", profile->tables.files_refused, &live->told.files);
		buffer_format(text, ", the last of user %u", profile->tables.refused_user);
	}
	add_refusal(text, "cgroups past their share, counted as those above them", cgroups_refused(profile->cgroups), &live->told.cgroups);
}

/* The time that a timer stood still goes to the next sample; that of a counter is missing. */
static void describe_standstill(const struct live *live, const struct ktally_totals *totals, struct buffer *text)
{
	bool timer = ktally_get_info(live->session)->clock == KTALLY_CLOCK_CPU;
	uint64_t count = totals->unsampled.count;

	buffer_format(text, "; %s stood still ", timer ? "the timer" : "counters");
	if (count == 1)
		buffer_string(text, "once");
	else
		buffer_format(text, "%" PRIu64 " times", count);
	buffer_format(text, ", for %.3g s at most: perf throttles %s (kernel.perf_event_max_sample_rate)%s",
		      (double)totals->unsampled.weight / 1e9, timer ? "it" : "them", timer ? "" : ", or others have the hardware");
}

/* What was never sampled, so that nothing could be lost. */
static void describe_darkness(const struct live *live, const struct ktally_totals *totals, struct buffer *text)
{
	int dark = ktally_get_cpus(live->session, KTALLY_CPUS_DARK, NULL, 0);

	if (dark > 0)
		buffer_format(text, "; %d CPU%s not sampled, for want of memory or of a counter: the kernel log says which", dark,
			      dark == 1 ? " is" : "s are");
	if (totals->unsampled.count)
		describe_standstill(live, totals, text);
}

static void add_refused(struct buffer *text, const struct profile *profile)
{
	struct buffer what = { 0 };

	if (refused_describe(&profile->refused, &what))
		buffer_format(text, "; the module refused %s, more than one user or one stack may take: these frames have no names", what.data);
	buffer_free(&what);
}

static void add_names(struct buffer *text, const struct profile *profile)
{
	struct symbols_statistics symbols;

	symbols_get_statistics(profile->symbols, &symbols);
	if (symbols.names_refused)
		buffer_format(text, "; %" PRIu64 " names refused to processes past their share of them", symbols.names_refused);
	if (profile->stacks_hurried || profile->stacks_refused)
		buffer_format(text, "; %" PRIu64 " stacks of processes past their share of time or memory left without names",
			      profile->stacks_hurried + profile->stacks_refused);
}

void live_describe_losses(const struct live *live, struct buffer *text)
{
	const struct profile *profile = live->profile;
	struct ktally_totals totals;
	uint64_t lost = 0;
	bool first = true;

	ktally_get_totals(live->session, &totals);
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		lost += totals.lost[i].count;
	if (lost) {
		buffer_format(text, "lost %" PRIu64 " of %" PRIu64 " samples (%.2g %%): ", lost, (uint64_t)totals.samples,
			      100.0 * (double)lost / (double)totals.samples);
		for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
			add_part(text, &first, totals.lost[i].count, causes[i]);
	} else {
		buffer_string(text, "nothing lost");
	}
	if (totals.lost[KTALLY_LOST_NOTICE].count)
		buffer_format(text, "; %" PRIu64 " announcements of tasks lost", (uint64_t)totals.lost[KTALLY_LOST_NOTICE].count);
	if (totals.lost[KTALLY_LOST_THREADS].count)
		buffer_format(text, "; %" PRIu64 " waits of more threads than can be followed",
			      (uint64_t)totals.lost[KTALLY_LOST_THREADS].count);
	if (profile->orphans)
		buffer_format(text, "; %" PRIu64 " samples without their stack or task", profile->orphans);
	if (profile->bad_records)
		buffer_format(text, "; %" PRIu64 " bad records", profile->bad_records);
	add_names(text, profile);
	add_refused(text, profile);
	describe_darkness(live, &totals, text);
	if (session_is_switched_off())
		buffer_string(text, "; sampling is switched off on this host");
	if (live->thin_worst > 1)
		buffer_format(text, "; thinned to one sample in %u at worst to keep to the time budget (totals stay right)",
			      live->thin_worst);
}
