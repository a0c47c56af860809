// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally top: what the CPUs do, second by second, by process, by area and by the function that ran (self time); with --off-cpu
 * also what threads wait for, but for those that are idle. On a terminal as
 * a screen with keys, otherwise as text, one block a second.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/message.h"
#include "base/number.h"
#include "classify/wait.h"
#include "cli/command.h"
#include "confine/confine.h"
#include "cli/ranking.h"
#include "cli/screen.h"
#include "loop/loop.h"
#include "session/live.h"
#include "session/session.h"

#define RATE_DEFAULT 99
#define REFRESH_MS 1000
#define RECORDS_IN_A_TURN 65536

/* Refreshes until what was not sampled for a while is forgotten. */
#define FORGET_REFRESHES 600

#define ROWS_OF_TEXT 10
#define ROWS_MOST 1000

enum table { PROCESSES, AREAS, FUNCTIONS, WAITS, TABLES };

static const char *const titles[TABLES] = { "PROCESS", "AREA", "FUNCTION (self)", "WAITS FOR" };

struct top {
	struct session_options options;
	uint64_t iterations;		/* 0: without end */

	struct live live;
	struct loop *loop;
	struct screen screen;
	bool on_screen;
	int signals;			/* signalfd */
	struct loop_timer refresh_timer, more_timer;
	struct ranking rankings[TABLES];
	int table;			/* the only one shown, -1: all */
	bool by_total;
	uint64_t refreshes, refreshed;	/* how often, and when last (ns) */
	double interval;		/* the last one, s */
	bool stopping;
	int error;			/* the session's, told when the screen is closed */
};

static const char help[] =
	"usage: ktally top [options]\n"
	"\n"
	"Shows which processes, areas and functions the CPUs run, refreshed each second.\n"
	"\n";

static const char help_end[] =
	"  -n, --iterations N      end after so many seconds\n"
	"  -h, --help\n"
	"\n"
	"Keys: q ends; p, a, f, w: only processes, areas, functions, waits; space: all; s: sort by the last second or by the total.\n"
	"If input or output is not a terminal it prints text. The rate is 99 Hz unless -F says another. See ktally-top(1).\n";

static const struct option long_options[] = {
	SESSION_LONG_HOW,
	SESSION_LONG_WHOM,
	SESSION_LONG_RIGHTS,
	{ "iterations", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* -1: go on, else the exit code. */
static int parse(struct top *top, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, SESSION_SHORT_HOW SESSION_SHORT_WHOM "n:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			if (number_parse(optarg, 1, UINT64_MAX, &top->iterations)) {
				message_error("-n: \"%s\" is not a number of seconds", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'h':
			printf("%s%s%s%s%s", help, session_help_whom, session_help_how, session_help_here, help_end);
			return EXIT_OK;
		default:
			if (session_options_take(&top->options, option, optarg) != 1)
				return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		message_error("\"%s\" is one word too many: see ktally top --help", argv[optind]);
		return EXIT_USAGE;
	}
	return session_options_check(&top->options) ? EXIT_USAGE : -1;
}

/* ---- samples ---- */

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static void on_sample(void *context, const struct profile_sample *sample)
{
	const struct stack *stack = sample->stack;
	const struct frame *leaf = stack->kernel_frames + stack->user_frames ? &stack->frames[0] : NULL;
	bool kernel = sample->record->header.flags & KTALLY_SAMPLE_KERNEL;
	const char *function = leaf && leaf->function ? leaf->function : "[unknown]";
	const char *place = leaf ? base_name(leaf->object) : kernel ? "[kernel]" : NULL;
	struct top *top = context;

	ranking_add(&top->rankings[PROCESSES], sample->task->process_name, NULL, sample->record->weight);
	ranking_add(&top->rankings[AREAS], stack->class.area ? stack->class.area : "unknown", NULL, sample->record->weight);
	ranking_add(&top->rankings[FUNCTIONS], function, place, sample->record->weight);
}

static void take_records(struct top *top)
{
	int more = live_drain(&top->live, RECORDS_IN_A_TURN, on_sample, top);

	if (more > 0) {
		loop_timer_set(top->loop, &top->more_timer, 0);
	} else if (more < 0) {
		top->error = more;
		top->stopping = true;
	}
}

static void on_device(void *context, short events)
{
	(void)events;
	take_records(context);
}

static void on_more(void *context)
{
	take_records(context);
}

/* ---- drawing ---- */

/* What the tally of waits has more than at the last refresh. Nobody else exports it. */
static void rank_waits(struct top *top)
{
	size_t count;
	struct tally_row **rows = tally_rows(top->live.profile->offcpu.tally, &count);

	for (size_t i = 0; i < count; i++) {
		struct tally_row *row = rows[i];

		if (row->weight == row->weight_exported || wait_is_idle(row->class.cause))
			continue;
		ranking_add(&top->rankings[WAITS], row->class.cause, owner_label(row->owner), row->weight - row->weight_exported);
		row->weight_exported = row->weight;
	}
}

/* Without waits there is no table of them. */
static int tables(const struct top *top)
{
	return top->options.off_cpu ? TABLES : WAITS;
}

static void describe(const struct top *top, struct buffer *line)
{
	struct buffer losses = { 0 };

	live_describe_losses(&top->live, &losses);
	buffer_format(line, "ktally top  %u Hz  %.2f CPUs busy  %.1f s in all  %s", top->options.rate,
		      (double)top->rankings[PROCESSES].shown / 1e9 / top->interval, (double)top->rankings[PROCESSES].total / 1e9,
		      losses.data);
	buffer_free(&losses);
}

/* Of waits, how many threads wait on average: a share of a CPU would mean nothing. */
static void format_row(const struct top *top, enum table table, const struct ranked *row, struct buffer *line)
{
	double scale = table == WAITS ? 1 : 100;

	buffer_clear(line);
	buffer_format(line, "%7.1f %9.2f  %s", scale * (double)row->shown / 1e9 / top->interval, (double)row->total / 1e9, row->name);
	if (row->place)
		buffer_format(line, "  (%s)", row->place);
}

static void format_title(enum table table, struct buffer *line)
{
	buffer_clear(line);
	buffer_format(line, "%s   TOTAL s  %s", table == WAITS ? "THREADS" : "   %CPU", titles[table]);
}

static void draw_table(struct top *top, enum table table, size_t most)
{
	const struct ranked *rows[ROWS_MOST];
	struct buffer line = { 0 };
	size_t count;

	format_title(table, &line);
	screen_line(&top->screen, line.data, true);
	count = ranking_top(&top->rankings[table], top->by_total, rows, most < ROWS_MOST ? most : ROWS_MOST);
	for (size_t i = 0; i < count; i++) {
		format_row(top, table, rows[i], &line);
		screen_line(&top->screen, line.data, false);
	}
	buffer_free(&line);
}

/* Two lines at the top, then each table with its title and, between tables, an empty line. */
static void draw(struct top *top)
{
	struct screen *screen = &top->screen;
	struct buffer line = { 0 };
	unsigned int room;

	screen_begin(screen);
	describe(top, &line);
	screen_line(screen, line.data, false);
	buffer_clear(&line);
	buffer_format(&line, "q quit  p processes  a areas  f functions%s  space all  s sort: by %s",
		      top->options.off_cpu ? "  w waits" : "", top->by_total ? "total" : "last second");
	screen_line(screen, line.data, false);
	buffer_free(&line);
	room = screen->rows > 2 ? screen->rows - 2 : 0;
	if (top->table >= 0) {
		draw_table(top, (enum table)top->table, room > 1 ? room - 1 : 0);
	} else {
		unsigned int count = (unsigned int)tables(top), rows = room / count > 2 ? room / count - 2 : 0;

		for (int table = 0; table < (int)count; table++) {
			draw_table(top, (enum table)table, rows);
			/* Those that come next keep their place when this one is short. */
			while (table < (int)count - 1 && screen->row < 2 + (unsigned int)(table + 1) * (rows + 2) && screen->row < screen->rows)
				screen_line(screen, "", false);
		}
	}
	screen_end(screen);
}

/* False when nobody reads it any more. */
static bool print(const struct top *top)
{
	const struct ranked *rows[ROWS_OF_TEXT];
	struct buffer line = { 0 };

	describe(top, &line);
	printf("%s\n", line.data);
	for (int table = 0; table < tables(top); table++) {
		size_t count = ranking_top(&top->rankings[table], top->by_total, rows, ROWS_OF_TEXT);

		format_title((enum table)table, &line);
		printf("\n%s\n", line.data);
		for (size_t i = 0; i < count; i++) {
			format_row(top, (enum table)table, rows[i], &line);
			printf("%s\n", line.data);
		}
	}
	printf("\n");
	buffer_free(&line);
	return !fflush(stdout);
}

static void on_refresh(void *context)
{
	struct top *top = context;
	uint64_t now;
	int error;

	if (top->refreshes % FORGET_REFRESHES == FORGET_REFRESHES - 1)
		error = live_forget(&top->live, on_sample, top);
	else
		error = live_flush(&top->live, on_sample, top);
	if (error) {
		top->error = error;
		top->stopping = true;
		return;
	}
	rank_waits(top);

	/* Now, not before: a flush waits a second for files that are new, and takes the samples of that time, too. */
	now = loop_now();
	top->interval = (double)(now - top->refreshed) / 1e9;
	top->refreshed = now;
	top->refreshes++;
	for (int table = 0; table < TABLES; table++)
		ranking_advance(&top->rankings[table]);
	if (top->on_screen)
		draw(top);
	else if (!print(top))
		top->stopping = true;
	if (top->refreshes == top->iterations)
		top->stopping = true;
	loop_timer_set(top->loop, &top->refresh_timer, REFRESH_MS);
}

/* ---- people ---- */

static void on_keys(void *context, short events)
{
	struct top *top = context;
	int key;

	if (events & (POLLHUP | POLLERR))
		top->stopping = true;
	while ((key = screen_key(&top->screen))) {
		switch (key) {
		case 'q':
		case 'Q':
			top->stopping = true;
			break;
		case 'p':
			top->table = PROCESSES;
			break;
		case 'a':
			top->table = AREAS;
			break;
		case 'f':
			top->table = FUNCTIONS;
			break;
		case 'w':
			if (top->options.off_cpu)
				top->table = WAITS;
			break;
		case ' ':
			top->table = -1;
			break;
		case 's':
			top->by_total = !top->by_total;
			break;
		}
	}
	if (top->refreshes)
		draw(top);
}

/* Ctrl-Z: the terminal is the shell's until ktally goes on. */
static void stop_for_a_while(struct top *top)
{
	screen_close(&top->screen);
	kill(getpid(), SIGSTOP);
	if (screen_open(&top->screen))
		top->stopping = true;
}

static void on_signal(void *context, short events)
{
	struct top *top = context;
	struct signalfd_siginfo signal;

	(void)events;
	while (read(top->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo == SIGTSTP)
			stop_for_a_while(top);
		else if (signal.ssi_signo != SIGWINCH)
			top->stopping = true;
		if (top->refreshes && !top->stopping)
			draw(top);
	}
}

/* ---- start and end ---- */

static int open_signals(struct top *top)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	if (top->on_screen) {
		sigaddset(&signals, SIGWINCH);
		sigaddset(&signals, SIGTSTP);
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	top->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (top->signals >= 0)
		return EXIT_OK;
	message_error("cannot receive signals: %s", strerror(errno));
	return EXIT_FAILED;
}

static int open_loop(struct top *top)
{
	int error = loop_create(&top->loop, LOOP_POLL);

	if (error) {
		message_error("cannot wait for records: %s", strerror(-error));
		return EXIT_FAILED;
	}
	top->refresh_timer = (struct loop_timer){ .expired = on_refresh, .context = top };
	top->more_timer = (struct loop_timer){ .expired = on_more, .context = top };
	loop_watch(top->loop, ktally_fd(top->live.session), POLLIN, LOOP_DRAINED, on_device, top);
	loop_watch(top->loop, top->signals, POLLIN, LOOP_DRAINED, on_signal, top);
	if (top->on_screen)
		loop_watch(top->loop, STDIN_FILENO, POLLIN, LOOP_LEVEL, on_keys, top);
	return EXIT_OK;
}

static int start(struct top *top)
{
	int code, error;

	top->on_screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	code = open_signals(top);
	if (code == EXIT_OK && top->options.confine)
		code = confine_begin(0);
	if (code == EXIT_OK)
		code = session_open(&top->live.session, &top->options);
	if (code != EXIT_OK)
		return code;
	top->live.has_waits = top->options.off_cpu;
	live_create_profile(&top->live, LIVE_SHOW);
	live_read_kernel_names(&top->live);
	code = open_loop(top);
	if (code == EXIT_OK && top->options.confine)
		code = confine_end();
	top->refreshed = loop_now();
	if (code == EXIT_OK)
		code = live_enable(&top->live);
	if (code != EXIT_OK)
		return code;
	error = top->on_screen ? screen_open(&top->screen) : 0;
	if (error) {
		message_error("cannot use the terminal: %s", strerror(-error));
		return EXIT_FAILED;
	}
	loop_timer_set(top->loop, &top->refresh_timer, REFRESH_MS);
	return EXIT_OK;
}

static int run(struct top *top)
{
	int error = 0;

	while (!top->stopping && !error)
		error = loop_turn(top->loop);
	screen_close(&top->screen);
	if (error) {
		message_error("waiting for records failed: %s", strerror(-error));
		return EXIT_FAILED;
	}
	return top->error ? session_failed(top->error) : EXIT_OK;
}

int command_top(int argc, char **argv)
{
	struct top *top = memory_zeroed(1, sizeof(*top));
	int code;

	top->signals = top->table = -1;
	session_options_init(&top->options);
	top->options.rate = RATE_DEFAULT;
	code = parse(top, argc, argv);
	if (code < 0) {
		code = start(top);
		if (code == EXIT_OK)
			code = run(top);
	}
	loop_destroy(top->loop);
	for (int table = 0; table < TABLES; table++)
		ranking_free(&top->rankings[table]);
	live_destroy_profile(&top->live);
	ktally_close(top->live.session);
	session_options_release(&top->options);
	if (top->signals >= 0)
		close(top->signals);
	free(top);
	return code;
}
