// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/message.h"
#include "daemon/bounds.h"
#include "daemon/check.h"
#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/demand.h"
#include "daemon/exports.h"
#include "daemon/exposition.h"
#include "daemon/files.h"
#include "daemon/notify.h"
#include "daemon/rights.h"
#include "session/live.h"
#include "session/session.h"

/* Records taken in one turn of the loop: some ten milliseconds, then signals and the watchdog have theirs. */
#define RECORDS_IN_A_TURN 65536

struct daemon {
	const struct daemon_options *options;
	struct live live;
	struct loop *loop;
	struct demand *demand;
	struct exports *exports;
	struct exposition *exposition;	/* NULL: metrics are not served */
	struct files metrics, profiles;	/* written at each export, and at the end and SIGHUP */
	char *capture_path;		/* NULL: none */
	struct export_host host;
	struct window window;
	int signals;			/* signalfd */
	int device_watch;
	struct bounds bounds;
	struct loop_timer export_timer, watchdog_timer, more_timer;
	uint64_t watchdog_interval;
	bool switched_off;		/* by the administrator, for now */
	bool stopping;			/* leave the loop */
	bool impatient;			/* a second signal: do not wait for the collector */
	bool failed;			/* something went wrong for good: EXIT_FAILED at the end */
};

/* ---- records ---- */

static void take_records(struct daemon *daemon)
{
	int more = live_drain(&daemon->live, RECORDS_IN_A_TURN, NULL, NULL);

	if (more > 0) {
		loop_timer_set(daemon->loop, &daemon->more_timer, 0);
	} else if (more < 0) {
		session_failed(more);
		daemon->failed = true;
		daemon->stopping = true;
	}
}

/* Up to now, with waits that go on and losses not told yet. */
static void flush(struct daemon *daemon)
{
	int error = live_flush(&daemon->live, NULL, NULL);

	if (error) {
		session_failed(error);
		daemon->failed = daemon->stopping = true;
	}
}

static void on_device(void *context, short events)
{
	(void)events;			/* an error comes out of reading, with its cause */
	take_records(context);
}

static void on_more(void *context)
{
	take_records(context);
}

/* ---- exports ---- */

static void look_at_host(struct daemon *daemon)
{
	export_host_fill(&daemon->host);
	export_host_leave_out(&daemon->host, &daemon->options->session.left_out);
	daemon->host.rate = daemon->options->session.rate;
	daemon->host.clock = ktally_get_info(daemon->live.session)->clock;
	daemon->host.deployment = &daemon->options->deployment;
}

static void write_files(struct daemon *daemon, struct files *files)
{
	struct metrics totals;

	if (!files->count)
		return;
	exports_add_up(daemon->exports, daemon->live.profile, &daemon->host, daemon->window.end, &totals);
	files_write(files, daemon->live.profile, &daemon->host, &totals);
	metrics_free(&totals);
}

static void export_metrics(struct daemon *daemon)
{
	int64_t step;

	look_at_host(daemon);
	step = window_advance(&daemon->window, daemon->host.realtime, daemon->host.monotonic);
	if (step)
		message_info("the wall clock moved by %+.3f s: it was set, or the host slept; metrics go on by the new time",
			     (double)step / 1e9);
	exports_send(daemon->exports, daemon->live.profile, &daemon->host, daemon->window.start, daemon->window.end);
	write_files(daemon, &daemon->metrics);
}

static void on_scrape(void *context, struct buffer *text, enum prometheus_format format)
{
	struct daemon *daemon = context;
	struct metrics totals;

	flush(daemon);
	look_at_host(daemon);
	exports_add_up(daemon->exports, daemon->live.profile, &daemon->host, daemon->window.end, &totals);
	prometheus_write(text, &totals, format);
	metrics_free(&totals);
}

static void keep_bounds(struct daemon *daemon)
{
	int error = bounds_keep(&daemon->bounds, &daemon->live);

	if (error) {
		session_failed(error);
		daemon->failed = daemon->stopping = true;
	}
}

static void tell_status(const struct daemon *daemon)
{
	struct buffer losses = { 0 }, exports = { 0 };

	live_describe_losses(&daemon->live, &losses);
	exports_describe(daemon->exports, &exports);
	notify("STATUS=%u Hz, %" PRIu64 " samples, %s; %s", daemon->options->session.rate, daemon->live.profile->oncpu.samples, losses.data,
	       exports.data);
	buffer_free(&exports);
	buffer_free(&losses);
}

static void look_at_switch(struct daemon *daemon)
{
	bool off = session_is_switched_off();

	if (off && !daemon->switched_off)
		message_warning("sampling was switched off on this host: nothing is counted until "
				"`echo N >/sys/module/ktally/parameters/disabled`");
	else if (!off && daemon->switched_off)
		message_info("sampling was switched on again");
	daemon->switched_off = off;
}

static void on_export(void *context)
{
	struct daemon *daemon = context;

	loop_timer_set(daemon->loop, &daemon->export_timer, daemon->options->interval);
	flush(daemon);
	export_metrics(daemon);
	if (daemon->live.recorder)
		recorder_flush(daemon->live.recorder);
	live_refresh_kernel_names(&daemon->live);
	keep_bounds(daemon);
	bounds_tell(&daemon->bounds, &daemon->live);
	look_at_switch(daemon);
	tell_status(daemon);
}

static void on_watchdog(void *context)
{
	struct daemon *daemon = context;

	notify("WATCHDOG=1");
	loop_timer_set(daemon->loop, &daemon->watchdog_timer, daemon->watchdog_interval);
}

/* ---- signals ---- */

/* A capture that was moved away is ended, and another begun at its path; one that is still there is never overwritten. */
static void change_capture(struct daemon *daemon)
{
	struct recorder *old = daemon->live.recorder, *new;
	int error;

	if (!old)
		return;
	if (recorder_is_in_place(old)) {
		recorder_flush(old);
		if (recorder_has_failed(old))
			message_warning("%s failed before and is left as it is: move it away and send SIGHUP to begin another",
					daemon->capture_path);
		return;
	}
	if (recorder_create(&new, daemon->capture_path, ktally_get_info(daemon->live.session), &daemon->options->session, NULL)) {
		daemon->failed = true;
		return;
	}
	recorder_wait_for_nobody(new);
	take_records(daemon);
	if (recorder_close(old))
		daemon->failed = true;
	error = live_change_recorder(&daemon->live, new);
	if (error)
		message_warning("the new capture may lack stacks that were seen before: %s", strerror(-error));
	message_info("began a new capture at %s", daemon->capture_path);
}

static void reload(struct daemon *daemon)
{
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, loop_now() / 1000);
	flush(daemon);
	exposition_reload(daemon->exposition);
	change_capture(daemon);
	look_at_host(daemon);
	write_files(daemon, &daemon->metrics);
	write_files(daemon, &daemon->profiles);
	notify("READY=1");
}

static void on_signal(void *context, short events)
{
	struct daemon *daemon = context;
	struct signalfd_siginfo signal;

	(void)events;
	while (read(daemon->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo == SIGHUP) {
			if (!daemon->stopping)
				reload(daemon);
		} else {
			daemon->impatient = daemon->stopping;
			daemon->stopping = true;
		}
	}
}

/* ---- start ---- */

static int open_signals(struct daemon *daemon)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	daemon->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (daemon->signals >= 0)
		return EXIT_OK;
	message_error("cannot receive signals: %s", strerror(errno));
	return EXIT_FAILED;
}

static void add_profiles(struct files *files, const char *directory, bool off_cpu)
{
	const uint32_t oncpu = KTALLY_SOURCE_ONCPU, offcpu = KTALLY_SOURCE_OFFCPU;

	files_add(files, directory, "oncpu.pb.gz", export_pprof, oncpu);
	files_add(files, directory, "oncpu.folded", export_folded, oncpu);
	files_add(files, directory, "flame.html", export_flamegraph, oncpu);
	files_add(files, directory, "metrics.json", NULL, 0);
	if (!off_cpu)
		return;
	files_add(files, directory, "offcpu.pb.gz", export_pprof, offcpu);
	files_add(files, directory, "offcpu.folded", export_folded, offcpu);
	files_add(files, directory, "offcpu.html", export_flamegraph, offcpu);
	files_add(files, directory, "wall.html", export_flamegraph, oncpu | offcpu);
}

/* Tried before sampling starts, so that a wrong path is an error at once and not after a day. */
static int open_files(struct daemon *daemon)
{
	const struct daemon_options *options = daemon->options;
	struct buffer capture = { 0 };

	if (options->metrics_json)
		files_add(&daemon->metrics, NULL, options->metrics_json, NULL, 0);
	if (options->out) {
		if (files_make_directory(options->out) != EXIT_OK)
			return EXIT_FAILED;
		add_profiles(&daemon->profiles, options->out, options->session.off_cpu);
	}
	if (options->capture)
		buffer_string(&capture, options->capture);
	else if (options->out)
		buffer_format(&capture, "%s/capture.ktally", options->out);
	daemon->capture_path = capture.data;
	if (capture.data && recorder_create(&daemon->live.recorder, capture.data, ktally_get_info(daemon->live.session),
					    &options->session, NULL))
		return EXIT_FAILED;
	if (capture.data)
		recorder_wait_for_nobody(daemon->live.recorder);
	return EXIT_OK;
}

/*
 * Others' work goes first, as long as that costs no samples: if a ring holds a second's worth of new stacks (a kilobyte each is a
 * lot), the scheduler may leave the daemon waiting that long. At nice 10 it still gets a tenth of what a busy program gets, and
 * it needs a thousandth of a CPU. With waits, whose rate nobody knows, with faster rates or smaller rings it keeps the priority it was given, and so it does when
 * somebody already chose one. If it comes too late after all, the loss is counted and told.
 */
static void lower_priority(const struct session_options *options)
{
	uint32_t ring_bytes = options->ring_bytes ? options->ring_bytes : KTALLY_RING_BYTES_DEFAULT;
	int now;

	errno = 0;
	now = getpriority(PRIO_PROCESS, 0);
	if (!errno && !now && !options->off_cpu && (uint64_t)options->rate * 1024 <= ring_bytes && setpriority(PRIO_PROCESS, 0, 10))
		message_info("running at normal priority: %s", strerror(errno));
}

static int start(struct daemon *daemon)
{
	int code;

	daemon->live.has_waits = daemon->options->session.off_cpu;
	daemon->live.whole_host = daemon->options->session.all;
	daemon->live.left_out = session_options_left_out(&daemon->options->session);
	daemon->live.level = daemon->options->level;
	daemon->live.frame_bytes = daemon->options->out ? BOUNDS_FRAME_BYTES : 0;
	daemon->live.series = daemon->options->series;
	daemon->live.categories = daemon->options->categories;
	live_create_profile(&daemon->live, daemon->options->out ? LIVE_KEEP : LIVE_COUNT);
	live_read_kernel_names(&daemon->live);
	look_at_host(daemon);
	window_init(&daemon->window, daemon->host.realtime, daemon->host.monotonic);
	write_files(daemon, &daemon->metrics);
	if (daemon->metrics.failed)
		return EXIT_FAILED;

	bounds_begin(&daemon->bounds);
	daemon->device_watch = loop_watch(daemon->loop, ktally_fd(daemon->live.session), POLLIN, LOOP_DRAINED, on_device, daemon);
	loop_watch(daemon->loop, daemon->signals, POLLIN, LOOP_DRAINED, on_signal, daemon);
	daemon->more_timer = (struct loop_timer){ .expired = on_more, .context = daemon };
	daemon->export_timer = (struct loop_timer){ .expired = on_export, .context = daemon };
	daemon->watchdog_timer = (struct loop_timer){ .expired = on_watchdog, .context = daemon };
	daemon->watchdog_interval = notify_watchdog_interval();
	loop_timer_set(daemon->loop, &daemon->export_timer, daemon->options->interval);
	if (daemon->watchdog_interval)
		loop_timer_set(daemon->loop, &daemon->watchdog_timer, daemon->watchdog_interval);

	if (daemon->options->prometheus) {
		code = exposition_create(&daemon->exposition, daemon->loop, &daemon->options->exposition, on_scrape, daemon);
		if (code != EXIT_OK)
			return code;
	}
	code = rights_end(daemon->options);
	if (code == EXIT_OK)
		code = demand_begin(daemon->demand, daemon->options);
	if (code == EXIT_OK)
		code = live_enable(&daemon->live);
	if (code != EXIT_OK)
		return code;
	lower_priority(&daemon->options->session);
	message_info("sampling %u CPUs at %u Hz, paced by %s, reading with %s", daemon->host.cpus, daemon->host.rate,
		     session_clock_name(daemon->host.clock), loop_name(daemon->loop));
	return EXIT_OK;
}

int daemon_create(struct daemon **result, struct daemon_options *options)
{
	struct daemon *daemon = memory_zeroed(1, sizeof(*daemon));
	int code;

	daemon->options = options;
	daemon->signals = -1;
	code = open_signals(daemon);
	if (code == EXIT_OK)
		code = rights_begin(options);
	if (code == EXIT_OK)
		code = session_open(&daemon->live.session, &options->session);
	if (code == EXIT_OK)
		code = check_loop(&daemon->loop, options->loop);
	if (code == EXIT_OK)
		code = exports_create(&daemon->exports, daemon->loop, options);
	if (code == EXIT_OK)
		code = open_files(daemon);
	if (code == EXIT_OK)
		code = demand_create(&daemon->demand, daemon->loop, options);
	if (code == EXIT_OK)
		code = start(daemon);
	if (code == EXIT_OK)
		*result = daemon;
	else
		daemon_destroy(daemon);
	return code;
}

/* ---- end ---- */

static void stop(struct daemon *daemon)
{
	const struct profile *profile = daemon->live.profile;
	struct buffer losses = { 0 }, waits = { 0 };
	int error;

	notify("STOPPING=1\nSTATUS=delivering the last metrics");
	exposition_destroy(daemon->exposition);
	daemon->exposition = NULL;
	loop_unwatch(daemon->loop, daemon->device_watch);
	loop_timer_cancel(daemon->loop, &daemon->more_timer);
	loop_timer_cancel(daemon->loop, &daemon->export_timer);

	error = live_stop(&daemon->live, NULL, NULL);
	if (error && !daemon->failed) {
		session_failed(error);
		daemon->failed = true;
	}
	live_describe_losses(&daemon->live, &losses);
	if (daemon->live.has_waits)
		buffer_format(&waits, ", %" PRIu64 " waits, %.1f s", profile->offcpu.samples, (double)profile->offcpu.weight / 1e9);
	message_info("%" PRIu64 " samples, %.1f s of CPU time%s, %s", profile->oncpu.samples, (double)profile->oncpu.weight / 1e9,
		     waits.data ? waits.data : "", losses.data);
	buffer_free(&waits);
	buffer_free(&losses);

	export_metrics(daemon);
	exports_finish(daemon->exports, daemon->options->stop_timeout, &daemon->impatient);
	demand_finish(daemon->demand, daemon->options->stop_timeout, &daemon->impatient);
	write_files(daemon, &daemon->profiles);
	if (recorder_close(daemon->live.recorder))
		daemon->failed = true;
	daemon->live.recorder = NULL;
}

int daemon_run(struct daemon *daemon)
{
	int error = 0;

	notify("READY=1");
	tell_status(daemon);
	while (!daemon->stopping && !error)
		error = loop_turn(daemon->loop);
	if (error) {
		message_error("waiting with %s failed: %s: try ktallyd --loop poll", loop_name(daemon->loop), strerror(-error));
		daemon->failed = true;
	}
	stop(daemon);
	daemon->failed |= daemon->metrics.failed || daemon->profiles.failed || exports_have_failed(daemon->exports);
	return daemon->failed ? EXIT_FAILED : EXIT_OK;
}

void daemon_destroy(struct daemon *daemon)
{
	demand_destroy(daemon->demand);
	exports_destroy(daemon->exports);
	exposition_destroy(daemon->exposition);
	loop_destroy(daemon->loop);
	recorder_close(daemon->live.recorder);
	live_destroy_profile(&daemon->live);
	ktally_close(daemon->live.session);
	files_release(&daemon->metrics);
	files_release(&daemon->profiles);
	free(daemon->capture_path);
	if (daemon->signals >= 0)
		close(daemon->signals);
	free(daemon);
}
