// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally record: samples into a capture file, until the command ends, the processes are gone, the time is up or Ctrl-C. Nothing is
 * looked up here but the mappings of the processes, which would be gone later: `ktally report` names the frames.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "base/number.h"
#include "cli/child.h"
#include "cli/command.h"
#include "confine/capabilities.h"
#include "confine/confine.h"
#include "loop/loop.h"
#include "session/live.h"
#include "session/session.h"

#define RATE_DEFAULT 99
#define OUTPUT_DEFAULT "capture.ktally"
#define DURATION_MOST (30ULL * 24 * 3600 * 1000)
#define RECORDS_IN_A_TURN 65536

/* How long a command has to end after it was asked to. */
#define PATIENCE_MS 5000

struct record {
	struct session_options options;
	const char *output;
	uint64_t duration;		/* ms, 0: no end */
	char **command;			/* NULL: none */

	struct live live;
	struct loop *loop;
	struct child child;
	sigset_t former_signals;
	int signals;			/* signalfd */
	int processes;			/* epoll of those given with -p; -1: none */
	uint32_t processes_left;
	uint64_t start;			/* ns */
	struct loop_timer end_timer, progress_timer, more_timer;
	bool progress;			/* a line on the terminal */
	bool signalled;			/* once: a second signal does not wait for the command */
	bool stopping, failed;
};

static const char help[] =
	"usage: ktally record [options] [-- command [arguments...]]\n"
	"\n"
	"Samples every process of the host, the given ones, or a command, into a capture file.\n"
	"\n";

static const char help_end[] =
	"  -o, --output FILE       the capture (" OUTPUT_DEFAULT "); - is standard output\n"
	"  -d, --duration TIME     end after so many seconds, or 500ms, 5m, 1h\n"
	"  -h, --help\n"
	"\n"
	"Ctrl-C ends it and keeps everything. The rate is 99 Hz unless -F says another. With a command the exit code is the\n"
	"command's. See ktally-record(1).\n";

static const struct option long_options[] = {
	SESSION_LONG_HOW,
	SESSION_LONG_WHOM,
	SESSION_LONG_RIGHTS,
	{ "output", required_argument, NULL, 'o' },
	{ "duration", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* -1: go on, else the exit code. */
static int parse(struct record *record, int argc, char **argv)
{
	int option, taken;

	while ((option = getopt_long(argc, argv, "+" SESSION_SHORT_HOW SESSION_SHORT_WHOM "o:d:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'o':
			record->output = optarg;
			break;
		case 'd':
			if (number_parse_duration(optarg, 1, DURATION_MOST, &record->duration)) {
				message_error("-d: \"%s\" is not a time: give seconds, or 500ms, 5m, 1h", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'h':
			printf("%s%s%s%s%s", help, session_help_whom, session_help_how, session_help_here, help_end);
			return EXIT_OK;
		default:
			taken = session_options_take(&record->options, option, optarg);
			if (taken != 1)
				return EXIT_USAGE;
		}
	}
	if (session_options_check(&record->options))
		return EXIT_USAGE;
	if (optind < argc)
		record->command = argv + optind;
	if (!strcmp(record->output, "-") && isatty(STDOUT_FILENO)) {
		message_error("-o -: a capture is not for terminals: send standard output to a file or a pipe");
		return EXIT_USAGE;
	}
	return -1;
}

/* ---- while it runs ---- */

static double seconds_since(uint64_t start)
{
	return (double)(loop_now() - start) / 1e9;
}

static void take_records(struct record *record)
{
	int more = live_drain(&record->live, RECORDS_IN_A_TURN, NULL, NULL);

	if (more > 0) {
		loop_timer_set(record->loop, &record->more_timer, 0);
	} else if (more < 0) {
		session_failed(more);
		record->failed = record->stopping = true;
	} else {
		/* What was taken until a kill -9 can be read. */
		recorder_flush(record->live.recorder);
	}
	if (recorder_has_failed(record->live.recorder))
		record->failed = record->stopping = true;
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

static void on_end(void *context)
{
	struct record *record = context;

	record->stopping = true;
}

static uint64_t samples_of(const struct record *record)
{
	return record->live.profile->oncpu.samples + record->live.profile->offcpu.samples;
}

static void on_progress(void *context)
{
	struct record *record = context;

	fprintf(stderr, "\r\033[K%.0f s, %" PRIu64 " samples, %.1f MB", seconds_since(record->start), samples_of(record),
		(double)recorder_bytes(record->live.recorder) / 1e6);
	fflush(stderr);
	loop_timer_set(record->loop, &record->progress_timer, 1000);
}

/* One event for each that ends. */
static void on_processes(void *context, short events)
{
	struct record *record = context;
	struct epoll_event ended;

	(void)events;
	while (record->processes_left && epoll_wait(record->processes, &ended, 1, 0) == 1) {
		epoll_ctl(record->processes, EPOLL_CTL_DEL, ended.data.fd, NULL);
		close(ended.data.fd);
		record->processes_left--;
	}
	if (!record->processes_left && !record->command)
		record->stopping = true;
}

/* What the terminal sends, it sends to the command too; what someone sends to ktally alone is passed on. */
static void pass_on(const struct record *record, const struct signalfd_siginfo *signal)
{
	if (signal->ssi_code != SI_KERNEL)
		kill(record->child.pid, (int)signal->ssi_signo);
}

static void on_signal(void *context, short events)
{
	struct record *record = context;
	struct signalfd_siginfo signal;

	(void)events;
	while (read(record->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo == SIGCHLD) {
			child_look(&record->child);
			record->stopping |= record->child.ended;
		} else if (record->child.pid && !record->child.ended && !record->signalled) {
			record->signalled = true;
			pass_on(record, &signal);
		} else {
			record->stopping = true;
		}
	}
}

/* ---- start ---- */

static int open_signals(struct record *record)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &record->former_signals);
	record->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (record->signals >= 0)
		return EXIT_OK;
	message_error("cannot receive signals: %s", strerror(errno));
	return EXIT_FAILED;
}

/* Before the session, which needs its process id, and before anything that a command should not inherit. */
static int start_command(struct record *record)
{
	int error;

	if (record->command) {
		error = child_start(&record->child, record->command, &record->former_signals);
		if (error) {
			message_error("cannot start %s: %s", record->command[0], strerror(-error));
			return EXIT_COMMAND;
		}
		if (!record->options.all && !record->options.pid_count && !record->options.cgroup_count)
			record->options.pids[record->options.pid_count++] = record->child.pid;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* The command may run as somebody else, and gets our signals. */
	return record->options.confine ? confine_begin(CAPABILITY(CAP_KILL)) : EXIT_OK;
}

/* Without pidfds (Linux before 5.3, or too few descriptors) recording just does not end by itself. */
static void watch_processes(struct record *record)
{
	if (!record->options.pid_count || record->child.pid)
		return;
	record->processes = epoll_create1(EPOLL_CLOEXEC);
	for (uint32_t i = 0; i < record->options.pid_count; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		event.data.fd = (int)syscall(SYS_pidfd_open, record->options.pids[i], 0);
		if (event.data.fd < 0 && errno == ESRCH)
			continue;
		if (event.data.fd < 0 || epoll_ctl(record->processes, EPOLL_CTL_ADD, event.data.fd, &event))
			return;
		record->processes_left++;
	}
	loop_watch(record->loop, record->processes, POLLIN, LOOP_LEVEL, on_processes, record);
	record->stopping = !record->processes_left;
}

static char *command_line(char **command)
{
	struct buffer line = { 0 };

	for (; *command; command++)
		buffer_format(&line, "%s%s", line.bytes ? " " : "", *command);
	return line.data;
}

static int open_capture(struct record *record)
{
	char *command = record->command ? command_line(record->command) : NULL;
	int error = recorder_create(&record->live.recorder, record->output, ktally_get_info(record->live.session),
				    &record->options, command);

	free(command);
	if (error)
		return EXIT_FAILED;
	record->live.has_waits = record->options.off_cpu;
	record->live.whole_host = record->options.all;
	record->live.left_out = session_options_left_out(&record->options);
	live_create_profile(&record->live, LIVE_RECORD);
	live_read_kernel_names(&record->live);
	return EXIT_OK;
}

static int open_loop(struct record *record)
{
	int error = loop_create(&record->loop, LOOP_POLL);

	if (error) {
		message_error("cannot wait for records: %s", strerror(-error));
		return EXIT_FAILED;
	}
	record->end_timer = (struct loop_timer){ .expired = on_end, .context = record };
	record->progress_timer = (struct loop_timer){ .expired = on_progress, .context = record };
	record->more_timer = (struct loop_timer){ .expired = on_more, .context = record };
	loop_watch(record->loop, ktally_fd(record->live.session), POLLIN, LOOP_DRAINED, on_device, record);
	loop_watch(record->loop, record->signals, POLLIN, LOOP_DRAINED, on_signal, record);
	watch_processes(record);
	return EXIT_OK;
}

static int let_command_run(struct record *record)
{
	int error = record->child.pid ? child_go(&record->child) : 0;

	if (!error)
		return EXIT_OK;
	message_error("cannot run %s: %s", record->command[0], strerror(-error));
	if (strcmp(record->output, "-"))
		unlink(record->output);
	return EXIT_COMMAND;
}

static int start(struct record *record)
{
	int code = open_signals(record);

	if (code == EXIT_OK)
		code = start_command(record);
	if (code == EXIT_OK)
		code = session_open(&record->live.session, &record->options);
	if (code == EXIT_OK)
		code = open_capture(record);
	if (code == EXIT_OK)
		code = open_loop(record);
	if (code == EXIT_OK && record->options.confine)
		code = confine_end();
	if (code == EXIT_OK)
		code = live_enable(&record->live);
	if (code == EXIT_OK)
		code = let_command_run(record);
	record->start = loop_now();
	return code;
}

/* ---- end ---- */

static void tell_result(const struct record *record, double seconds, uint64_t bytes)
{
	const struct profile *profile = record->live.profile;
	struct buffer losses = { 0 }, text = { 0 };

	live_describe_losses(&record->live, &losses);
	if (record->progress)
		fprintf(stderr, "\r\033[K");
	buffer_format(&text, "%s: %" PRIu64 " samples, %.2f s of CPU time in %.1f s",
		      strcmp(record->output, "-") ? record->output : "standard output", profile->oncpu.samples,
		      (double)profile->oncpu.weight / 1e9, seconds);
	if (record->options.off_cpu)
		buffer_format(&text, ", %" PRIu64 " waits, %.2f s", profile->offcpu.samples, (double)profile->offcpu.weight / 1e9);
	message_info("%s, %s; %.1f MB", text.data, losses.data, (double)bytes / 1e6);
	if (!profile->oncpu.samples && !profile->offcpu.weight && !record->failed)
		message_warning("nothing was sampled: what was asked for did not run on a CPU%s",
				record->options.off_cpu ? ", and did not wait" : "; --off-cpu shows what it waits for");
	buffer_free(&losses);
	buffer_free(&text);
}

static int finish(struct record *record)
{
	double seconds = seconds_since(record->start);
	int error = live_stop(&record->live, NULL, NULL);
	bool ended_itself = record->child.ended;
	uint64_t bytes;

	if (error && !record->failed) {
		session_failed(error);
		record->failed = true;
	}
	recorder_flush(record->live.recorder);
	bytes = recorder_bytes(record->live.recorder);
	if (recorder_close(record->live.recorder))
		record->failed = true;
	record->live.recorder = NULL;
	tell_result(record, seconds, bytes);

	if (!child_end(&record->child, PATIENCE_MS))
		message_warning("%s (process %d) goes on after SIGTERM", record->command[0], record->child.pid);
	if (record->failed)
		return EXIT_FAILED;
	return ended_itself ? child_exit_code(&record->child) : EXIT_OK;
}

static int run(struct record *record)
{
	int error = 0;

	record->progress = isatty(STDERR_FILENO);
	if (record->progress)
		loop_timer_set(record->loop, &record->progress_timer, 1000);
	if (record->duration)
		loop_timer_set(record->loop, &record->end_timer, record->duration);
	while (!record->stopping && !error)
		error = loop_turn(record->loop);
	if (error) {
		message_error("waiting for records failed: %s", strerror(-error));
		record->failed = true;
	}
	return finish(record);
}

static void release(struct record *record)
{
	loop_destroy(record->loop);
	recorder_close(record->live.recorder);
	live_destroy_profile(&record->live);
	ktally_close(record->live.session);
	session_options_release(&record->options);
	if (record->signals >= 0)
		close(record->signals);
	if (record->processes >= 0)
		close(record->processes);
	sigprocmask(SIG_SETMASK, &record->former_signals, NULL);
}

int command_record(int argc, char **argv)
{
	struct record *record = memory_zeroed(1, sizeof(*record));
	int code;

	record->output = OUTPUT_DEFAULT;
	record->signals = record->processes = -1;
	session_options_init(&record->options);
	sigprocmask(SIG_SETMASK, NULL, &record->former_signals);
	record->options.rate = RATE_DEFAULT;
	code = parse(record, argc, argv);
	if (code < 0) {
		code = start(record);
		if (code == EXIT_OK)
			code = run(record);
	}
	release(record);
	free(record);
	return code;
}
