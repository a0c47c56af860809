// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "loop/loop.h"
#include "session/files.h"
#include "session/live.h"
#include "session/session.h"
#include "symbols/errand.h"
#include "symbols/proc.h"

/* How many records are taken between two looks at the state of the session. */
#define RECORDS_IN_A_ROW 65536

/* How long files may keep others waiting: at a flush, and at the end. */
#define PATIENCE_MS 1000
#define LAST_PATIENCE_MS 10000

/* How much may wait behind a file: seconds of a busy host. */
#define BACKLOG_BYTES_MOST (8 << 20)

#define MODULES_BYTES_MAX (4 << 20)

#define MILLISECOND 1000000ULL

/* How long records are named, before the rings are looked at again. */
#define TURN_MS 10

static void on_mappings(void *context, uint64_t mm_id, uint32_t pid, const char *executable, const char *text, size_t bytes)
{
	struct live *live = context;

	if (live->recorder)
		recorder_write_mappings(live->recorder, mm_id, pid, executable, text, bytes);
}

static void ask_loader(void *context, struct errand *errand)
{
	struct live *live = context;

	loader_ask(live->loader, errand);
}

/* Where there is nobody who may be kept, nothing is read. */
static void ask_nobody(void *context, struct errand *errand)
{
	(void)context;
	errand->undone = true;
	errand_end(errand);
}

static void create_loader(struct live *live, enum live_purpose purpose)
{
	const struct loader_options options = {
		.session = live->session, .names = purpose != LIVE_RECORD, .contents = purpose == LIVE_RECORD || live->recorder,
	};
	struct errands errands = { ask_loader, live };
	int error = loader_create(&live->loader, &options);

	if (error) {
		errands.give = ask_nobody;
		message_warning("there is no thread to read symbols and unwind tables: %s: user frames have no names",
				strerror(-error));
	}
	symbols_leave_reading(live->profile->symbols, &errands);
}

static void on_owner(void *context, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes)
{
	struct live *live = context;

	if (live->recorder)
		recorder_write_owner(live->recorder, mm_id, cgroup_id, text, bytes);
}

static void on_account(void *context, const char *text, size_t bytes)
{
	struct live *live = context;

	if (live->recorder)
		recorder_write_account(live->recorder, text, bytes);
}

void live_create_profile(struct live *live, enum live_purpose purpose)
{
	const struct profile_options options = {
		.cells = purpose == LIVE_KEEP, .classes_only = purpose == LIVE_COUNT, .mappings_only = purpose == LIVE_RECORD,
		.live = true, .level = live->level, .series = live->series, .on_mappings = on_mappings, .on_owner = on_owner,
		.frame_bytes = live->frame_bytes, .on_account = on_account, .accounts = live->whole_host, .left_out = live->left_out,
		.categories = live->categories, .context = live,
	};

	live->profile = profile_create(&options);
	create_loader(live, purpose);
	if (cgroups_are_old(live->profile->cgroups))
		message_info("controllers are on cgroup v1 on this host, all or some: the container of a process is looked for in "
			     "/proc/PID/cgroup when it is first seen, and is not known of one that ended before");
}

void live_destroy_profile(struct live *live)
{
	loader_destroy(live->loader);
	live->loader = NULL;
	backlog_free(&live->backlog);
	if (live->profile)
		profile_destroy(live->profile);
	live->profile = NULL;
}

/* What was charged before is nothing to compare with. */
int live_enable(struct live *live)
{
	refused_read(&live->refused_before, ktally_fd(live->session));
	profile_read_accounts(live->profile);
	profile_compare_accounts(live->profile);
	return session_enable(live->session);
}

/* ---- names of the kernel ---- */

/* The names and addresses of the modules; the rest of /proc/modules changes all the time. 0: it cannot be read. */
static uint64_t hash_modules(void)
{
	struct buffer text = { 0 };
	uint64_t hash = 0;

	if (!buffer_read_file(&text, "/proc/modules", MODULES_BYTES_MAX)) {
		char *rest = text.data, *line;

		while ((line = strsep(&rest, "\n"))) {
			size_t name_bytes = strcspn(line, " ");
			const char *address = strrchr(line, ' ');

			hash = hash_bytes(line, name_bytes, hash);
			if (address)
				hash = hash_bytes(address, strlen(address), hash);
		}
		hash |= 1;
	}
	buffer_free(&text);
	return hash;
}

void live_read_kernel_names(struct live *live)
{
	char *text = NULL;
	size_t bytes = 0;
	int error;

	live->modules = hash_modules();
	error = symbols_read_kernel(&text, &bytes);
	if (!error)
		error = symbols_load_kernel(live->profile->symbols, text, bytes);
	if (!error && live->recorder)
		recorder_write_kallsyms(live->recorder, text, bytes);
	free(text);
	live->kernel_names = !error;
	if (error == -EPERM)
		message_warning("the kernel hides its addresses, so its functions have no names: that needs CAP_SYSLOG and "
				"kernel.kptr_restrict below 2");
	else if (error)
		message_warning("cannot read /proc/kallsyms: %s: functions of the kernel have no names", strerror(-error));
}

void live_refresh_kernel_names(struct live *live)
{
	if (live->kernel_names && hash_modules() != live->modules)
		live_read_kernel_names(live);
}

/* ---- records ---- */

static void take(struct live *live, const struct ktally_record *record, live_sample *on_sample, void *context)
{
	struct profile_sample sample;

	if (record->type == KTALLY_RECORD_THROTTLE && live->thin_worst < ((const struct ktally_throttle *)record)->thin)
		live->thin_worst = ((const struct ktally_throttle *)record)->thin;
	files_take(live, record);
	if (profile_feed(live->profile, record, on_sample ? &sample : NULL) && on_sample)
		on_sample(context, &sample);
	/* After the mappings that feeding it may have brought: whoever reads the capture needs them first. */
	if (live->recorder)
		recorder_write(live->recorder, record);
}

static bool must_wait(const struct live *live, const struct ktally_record *record)
{
	return live->loader && files_are_being_read(live, record) && backlog_bytes(&live->backlog) < BACKLOG_BYTES_MOST;
}

/* What a task is must be read while it is there; that its record comes early does no harm. */
static bool waits_in_turn(const struct live *live, const struct ktally_record *record)
{
	return record->type != KTALLY_RECORD_TASK &&
	       (live->turn_over || backlog_bytes(&live->backlog) || must_wait(live, record));
}

/* How far the records are behind that are taken now. */
static enum profile_pressure pressure(const struct live *live)
{
	size_t waiting = backlog_bytes(&live->backlog);
	uint64_t flushing = live->flushing ? loop_now() - live->flushing : 0;

	if (waiting >= BACKLOG_BYTES_MOST || flushing > 2 * PATIENCE_MS * MILLISECOND)
		return PROFILE_FULL;
	if (waiting >= BACKLOG_BYTES_MOST / 2 || flushing > PATIENCE_MS * MILLISECOND)
		return PROFILE_BEHIND;
	return PROFILE_AT_EASE;
}

static void begin_turn(struct live *live)
{
	live->turn = loop_now();
	live->turn_named = live->profile->stacks_named;
	live->turn_over = false;
	profile_set_pressure(live->profile, pressure(live));
	profile_take_mappings(live->profile);
}

/* Only names take long, so only after some is the clock looked at. */
static void look_at_clock(struct live *live)
{
	if (live->profile->stacks_named == live->turn_named)
		return;
	live->turn_named = live->profile->stacks_named;
	live->turn_over = loop_now() - live->turn > TURN_MS * MILLISECOND;
}

/* wait: for files that are being read. */
static void take_backlog(struct live *live, bool wait, live_sample *on_sample, void *context)
{
	const struct ktally_record *record;

	while (!live->turn_over && (record = backlog_first(&live->backlog)) && !(wait && must_wait(live, record))) {
		take(live, record, on_sample, context);
		backlog_take_first(&live->backlog);
		look_at_clock(live);
	}
}

/* Up to `most` records of the rings: at once, or behind what waits. How many there were; -errno. */
static ssize_t take_rings(struct live *live, size_t most, live_sample *on_sample, void *context)
{
	const struct ktally_record *records[PROFILE_AHEAD];
	unsigned int count;
	size_t taken;

	for (taken = 0; taken < most && backlog_bytes(&live->backlog) < BACKLOG_BYTES_MOST; taken += count) {
		size_t wanted = most - taken < PROFILE_AHEAD ? most - taken : PROFILE_AHEAD;

		count = ktally_next_batch(live->session, records, (unsigned int)wanted);
		if (!count)
			break;
		profile_look_ahead(live->profile, records, count);
		for (unsigned int i = 0; i < count; i++) {
			const struct ktally_record *record = records[i];

			files_submit(live, record);
			if (waits_in_turn(live, record))
				backlog_add(&live->backlog, record);
			else
				take(live, record, on_sample, context);
		}
		look_at_clock(live);
	}
	return (ssize_t)taken;
}

/* Whether there is something that can be taken at once. */
static bool has_more(const struct live *live, bool wait)
{
	const struct ktally_record *record = backlog_first(&live->backlog);

	return record && !(wait && must_wait(live, record));
}

static int drain(struct live *live, size_t most, bool wait, live_sample *on_sample, void *context)
{
	ssize_t taken;
	int ready;

	files_take_late(live);
	begin_turn(live);
	taken = take_rings(live, most, on_sample, context);
	take_backlog(live, wait, on_sample, context);
	if (taken == (ssize_t)most || has_more(live, wait))
		return 1;
	/* Errors of ktally_next_batch() come out here; no time passes. What cannot be read is not waited for. */
	ready = ktally_wait(live->session, 0);
	return ready == -EINTR ? 1 : ready > 0 && !taken ? 0 : ready;
}

int live_drain(struct live *live, size_t most, live_sample *on_sample, void *context)
{
	return drain(live, most, true, on_sample, context);
}

/* Everything that is there, in so many milliseconds that files may take; then their frames go without names. */
static int drain_all(struct live *live, unsigned int patience, live_sample *on_sample, void *context)
{
	int more;

	live->flushing = loop_now();
	do
		more = drain(live, RECORDS_IN_A_ROW, true, on_sample, context);
	while (more > 0);
	if (backlog_bytes(&live->backlog) && more >= 0)
		loader_wait(live->loader, patience);
	live->flushing = loop_now();
	while (more >= 0 && backlog_bytes(&live->backlog))
		more = drain(live, RECORDS_IN_A_ROW, false, on_sample, context);
	live->flushing = 0;
	return more < 0 ? more : 0;
}

/* Samples that were taken and neither read nor announced as lost. */
static uint64_t missing_samples(const struct live *live)
{
	const struct profile *profile = live->profile;
	struct ktally_totals totals;
	uint64_t seen = profile->oncpu.samples + profile->offcpu.samples +
			profile->lost[KTALLY_LOST_FULL].count + profile->lost[KTALLY_LOST_BUSY].count;

	ktally_get_totals(live->session, &totals);
	return totals.samples > seen ? totals.samples - seen : 0;
}

/* Everything of which the end of an open wait, or the word that it is open, may have been lost. */
static uint64_t lost_ends(const struct live *live)
{
	struct ktally_totals totals;
	uint64_t lost = 0;

	ktally_get_totals(live->session, &totals);
	for (int cause = 0; cause < KTALLY_LOST_CAUSES; cause++)
		lost += totals.lost[cause].count;
	return lost;
}

/* Of what has been read by now. */
static void name_late(struct live *live)
{
	files_take_late(live);
	profile_name_late(live->profile);
}

static void tell_tables(struct live *live)
{
	struct loader_statistics statistics;

	if (!live->loader)
		return;
	loader_get_statistics(live->loader, &statistics);
	live->profile->tables = (struct profile_tables){ statistics.tables, statistics.tables_failed, statistics.tables_evicted,
								statistics.files_hung, statistics.files_refused,
								statistics.refused_user };
}

/* Where it cannot be read, nothing has changed. */
static void tell_refused(struct live *live)
{
	struct refused now;

	if (refused_read(&now, ktally_fd(live->session)))
		return;
	refused_subtract(&now, &live->refused_before);
	live->profile->refused = now;
}

int live_flush(struct live *live, live_sample *on_sample, void *context)
{
	uint64_t lost = lost_ends(live), now = loop_now();
	bool resend = lost != live->lost;
	int error;

	if (resend)
		profile_doubt_waits(live->profile);
	profile_read_accounts(live->profile);
	error = session_flush(live->session, resend ? KTALLY_FLUSH_RESEND : 0);
	if (!error)
		error = drain_all(live, PATIENCE_MS, on_sample, context);
	if (resend && !error)
		profile_end_doubtful_waits(live->profile);
	live->lost = lost;
	profile_extend_waits(live->profile, now);
	profile_compare_accounts(live->profile);
	name_late(live);
	tell_tables(live);
	tell_refused(live);
	return error;
}

/* The last word on waits that go on, for whoever reads the capture: one that is not among them has ended. */
static int tell_open_waits(struct live *live, live_sample *on_sample, void *context)
{
	uint64_t now = loop_now();
	int error = session_flush(live->session, KTALLY_FLUSH_RESEND);

	if (!error)
		error = drain_all(live, PATIENCE_MS, on_sample, context);
	profile_extend_waits(live->profile, now);
	return error;
}

int live_stop(struct live *live, live_sample *on_sample, void *context)
{
	int told = live->has_waits ? tell_open_waits(live, on_sample, context) : 0;
	int error = ktally_disable(live->session), drained;

	profile_read_accounts(live->profile);
	if (!error)
		error = told;
	/* A full ring has no room for the announcement of what it lost; once drained it has. */
	for (int round = 0; round < 3; round++) {
		int flushed = session_flush(live->session, 0);

		if (!error)
			error = flushed;
		drained = drain_all(live, LAST_PATIENCE_MS, on_sample, context);
		if (!error)
			error = drained;
		if (error || !missing_samples(live))
			break;
	}
	profile_compare_accounts(live->profile);
	if (live->late)
		loader_wait(live->loader, LAST_PATIENCE_MS);
	name_late(live);
	tell_refused(live);
	return error;
}

/*
 * The device is told to say everything again before anything is forgotten, and what it said until then is taken first. So
 * whatever is forgotten here has a new announcement ahead of its next sample.
 */
int live_forget(struct live *live, live_sample *on_sample, void *context)
{
	uint64_t lost = lost_ends(live), now = loop_now();
	int error;

	profile_doubt_waits(live->profile);
	error = session_flush(live->session, KTALLY_FLUSH_RESEND);
	if (!error)
		error = drain_all(live, PATIENCE_MS, on_sample, context);
	if (!error)
		profile_end_doubtful_waits(live->profile);
	live->lost = lost;
	profile_extend_waits(live->profile, now);
	profile_forget(live->profile);
	return error;
}

static void write_file(void *context, const struct symbols_file *file)
{
	const struct loaded loaded = { .file = *file };

	recorder_write_file(context, &loaded);
}

int live_change_recorder(struct live *live, struct recorder *recorder)
{
	char *text = NULL;
	size_t bytes = 0;

	live->recorder = recorder;
	if (!symbols_read_kernel(&text, &bytes)) {
		if (live->kernel_names)
			recorder_write_kallsyms(recorder, text, bytes);
		free(text);
	}
	symbols_each_file(live->profile->symbols, write_file, recorder);
	/* The profile has them, and would not read them again; those that are gone run no more. */
	profile_read_mappings(live->profile);
	profile_tell_owners(live->profile);
	return session_flush(live->session, KTALLY_FLUSH_RESEND);
}
