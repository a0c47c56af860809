// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/message.h"
#include "daemon/order.h"
#include "daemon/profiling.h"
#include "daemon/taker.h"
#include "loop/loop.h"
#include "session/live.h"
#include "session/session.h"

#define RECORDS_IN_A_TURN 65536

/* Distinct stacks, and stacks in tasks, at which a profile ends early: some 200 MiB. */
#define STACKS_MOST 100000
#define CELLS_MOST 500000

/* An order: a configuration file, whose categories may be longer when all is quoted, and a request. */
#define ORDER_BYTES_MOST (16U << 20)

/* A request to a collector: they take 20 MiB, queues hold less. */
#define BATCH_BYTES (2U << 20)

struct taker {
	const struct request *request;
	const struct daemon_options *daemon;
	const struct profiling *files;
	struct session_options options;
	struct live live;
	struct loop *loop;
	struct export_host host;
	int signals;
	struct loop_timer end_timer, more_timer;
	bool stopping, failed;
};

static void look_at_memory(struct taker *taker)
{
	const struct profile *profile = taker->live.profile;

	if (taker->stopping || (profile->stacks.used < STACKS_MOST && profile->oncpu.cells.used + profile->offcpu.cells.used < CELLS_MOST))
		return;
	message_warning("the profile ends early, with %zu distinct stacks: ask for less time, a lower rate, or fewer processes",
			profile->stacks.used);
	taker->stopping = true;
}

static void take_records(struct taker *taker)
{
	int more = live_drain(&taker->live, RECORDS_IN_A_TURN, NULL, NULL);

	if (more > 0) {
		loop_timer_set(taker->loop, &taker->more_timer, 0);
	} else if (more < 0) {
		session_failed(more);
		taker->failed = taker->stopping = true;
	}
	look_at_memory(taker);
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
	((struct taker *)context)->stopping = true;
}

static void on_signal(void *context, short events)
{
	struct taker *taker = context;
	struct signalfd_siginfo signal;

	(void)events;
	while (read(taker->signals, &signal, sizeof(signal)) == sizeof(signal))
		taker->stopping = true;
}

/* With the daemon goes who is to get the profile. It may have gone already. */
static void stand_apart(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&(struct pollfd){ .fd = TAKER_MESSAGES }, 1, 0) > 0)
		_exit(EXIT_FAILED);
}

static int open_signals(struct taker *taker)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	taker->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (taker->signals >= 0)
		return EXIT_OK;
	message_error("cannot receive signals: %s", strerror(errno));
	return EXIT_FAILED;
}

static int open_taker(struct taker *taker)
{
	int error, code = open_signals(taker);

	if (code == EXIT_OK)
		code = session_open(&taker->live.session, &taker->options);
	if (code != EXIT_OK)
		return code;
	error = loop_create(&taker->loop, LOOP_POLL);
	if (error) {
		message_error("cannot wait for records: %s", strerror(-error));
		return EXIT_FAILED;
	}
	taker->live.has_waits = taker->options.off_cpu;
	taker->live.level = taker->daemon->level;
	if (*taker->request->service && taker->live.level == OWNER_BY_HOST)
		taker->live.level = OWNER_BY_SERVICE;
	taker->live.series = taker->daemon->series;
	taker->live.categories = taker->daemon->categories;
	live_create_profile(&taker->live, LIVE_KEEP);
	if (*taker->request->process)
		taker->live.profile->options.process = taker->request->process;
	if (*taker->request->service)
		taker->live.profile->options.service = taker->request->service;
	live_read_kernel_names(&taker->live);
	taker->end_timer = (struct loop_timer){ .expired = on_end, .context = taker };
	taker->more_timer = (struct loop_timer){ .expired = on_more, .context = taker };
	loop_watch(taker->loop, ktally_fd(taker->live.session), POLLIN, LOOP_DRAINED, on_device, taker);
	loop_watch(taker->loop, taker->signals, POLLIN, LOOP_DRAINED, on_signal, taker);
	return live_enable(&taker->live);
}

/* ---- what becomes of it ---- */

static int write_batch(void *context, const struct buffer *request, size_t samples)
{
	const struct profiling_batch head = { request->bytes, samples };
	FILE *file = context;

	return fwrite(&head, sizeof(head), 1, file) == 1 && fwrite(request->data, request->bytes, 1, file) == 1 ? 0 : -ENOSPC;
}

static int write_batches(FILE *file, const struct taker *taker)
{
	return export_profiles(taker->live.profile, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, &taker->host, BATCH_BYTES, write_batch, file);
}

static int write_file(const struct taker *taker, int fd, const struct request_output *output)
{
	FILE *file = fdopen(fd, "w");
	int error;

	if (!file)
		return -errno;
	error = output ? output->format->write(file, taker->live.profile, output->sources, &taker->host) : write_batches(file, taker);
	if (fclose(file) && !error)
		error = -errno;
	return error;
}

static int write_files(const struct taker *taker)
{
	int error = 0;

	for (size_t i = 0; i < taker->files->output_count && !error; i++)
		error = write_file(taker, taker->files->outputs[i], &taker->request->outputs[i]);
	if (!error && taker->files->batches >= 0)
		error = write_file(taker, taker->files->batches, NULL);
	if (!error)
		return EXIT_OK;
	message_error("the profile cannot be written: %s", strerror(-error));
	return EXIT_FAILED;
}

static void add_up(const struct map *cells, uint64_t *samples, uint64_t *weight)
{
	*samples = *weight = 0;
	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot)) {
		const struct profile_cell *cell = slot->value;

		*samples += cell->samples;
		*weight += cell->weight;
	}
}

static void tell_result(const struct taker *taker, double seconds)
{
	const struct profile *profile = taker->live.profile;
	struct buffer losses = { 0 }, waits = { 0 };
	uint64_t samples, weight;

	live_describe_losses(&taker->live, &losses);
	add_up(&profile->offcpu.cells, &samples, &weight);
	if (taker->options.off_cpu)
		buffer_format(&waits, ", %" PRIu64 " waits, %.2f s", samples, (double)weight / 1e9);
	add_up(&profile->oncpu.cells, &samples, &weight);
	message_info("%" PRIu64 " samples, %.2f s of CPU time in %.1f s%s, %s", samples, (double)weight / 1e9, seconds,
		     waits.data ? waits.data : "", losses.data);
	if (!profile->oncpu.cells.used && !profile->offcpu.cells.used)
		message_warning("nothing was sampled: what was asked for did not run on a CPU%s",
				taker->options.off_cpu ? ", and did not wait" : "; --off-cpu shows what it waits for");
	buffer_free(&waits);
	buffer_free(&losses);
}

static int take(struct taker *taker)
{
	uint64_t start = loop_now();
	int error = 0;

	loop_timer_set(taker->loop, &taker->end_timer, taker->request->duration);
	while (!taker->stopping && !error)
		error = loop_turn(taker->loop);
	if (error) {
		message_error("waiting for records failed: %s", strerror(-error));
		return EXIT_FAILED;
	}
	error = live_stop(&taker->live, NULL, NULL);
	if (error && !taker->failed)
		session_failed(error);
	if (error || taker->failed)
		return EXIT_FAILED;
	/* What was asked about is this time, whether something ran at its ends or not. */
	taker->live.profile->first_time = start;
	taker->live.profile->last_time = loop_now();
	export_host_fill(&taker->host);
	export_host_leave_out(&taker->host, &taker->options.left_out);
	taker->host.rate = taker->options.rate;
	taker->host.deployment = &taker->daemon->deployment;
	taker->host.clock = ktally_get_info(taker->live.session)->clock;
	tell_result(taker, (double)(taker->live.profile->last_time - start) / 1e9);
	return write_files(taker);
}

/* Where caches are, where messages go, and what the C library and sanitizers go by. */
void taker_environment(char **variables)
{
	static const char *const names[] = {
		"CACHE_DIRECTORY", "DEBUGINFOD_CACHE_PATH", "XDG_CACHE_HOME", "HOME", "JOURNAL_STREAM", "PATH", "TZ", "LANG", "LC_ALL",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
	};
	size_t count = 0;

	_Static_assert(sizeof(names) / sizeof(names[0]) <= TAKER_VARIABLES_MOST, "there is room for all");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (char **variable = environ; *variable; variable++)
			if (!strncmp(*variable, names[i], strlen(names[i])) && (*variable)[strlen(names[i])] == '=')
				variables[count++] = *variable;
	variables[count] = NULL;
}

/* In the order that profiling.c put them there. */
static void find_files(struct request *request, struct profiling *files)
{
	int fd = TAKER_OUTPUTS;

	*files = (struct profiling){ .batches = -1, .messages = -1 };
	while (files->output_count < request->output_count)
		files->outputs[files->output_count++] = fd++;
	if (request->send)
		files->batches = fd++;
	for (uint32_t i = 0; i < request->session.cgroup_count; i++)
		request->session.cgroup_fds[i] = fd++;
	if (!request->session.device)
		request->session.device = fd++;
	request->session.all = !request->session.pid_count && !request->session.cgroup_count;
	for (int used = TAKER_ORDER; used < fd; used++)
		fcntl(used, F_SETFD, FD_CLOEXEC);
}

static int read_order(struct request *request, struct daemon_options *daemon)
{
	struct buffer text = { 0 };
	int error = buffer_read_fd(&text, TAKER_ORDER, ORDER_BYTES_MOST), code = EXIT_FAILED;

	if (error)
		message_error("the profile cannot be taken: the order of the daemon cannot be read: %s", strerror(-error));
	else
		code = order_read(text.data ? text.data : "", text.bytes, request, daemon);
	buffer_free(&text);
	return code;
}

__attribute__((noreturn)) static void end(int code)
{
	const char last[] = { TAKER_END, (char)code };

	if (write(TAKER_MESSAGES, last, sizeof(last)) < 0)
		code = EXIT_FAILED;	/* nobody is there to get it */
	_exit(code);
}

void taker_run(void)
{
	struct daemon_options daemon;
	struct profiling files;
	struct request request;
	struct taker taker;
	int code;

	message_copy_to(TAKER_MESSAGES);
	code = read_order(&request, &daemon);
	if (code != EXIT_OK)
		end(code);
	find_files(&request, &files);
	stand_apart();
	taker = (struct taker){ .request = &request, .daemon = &daemon, .files = &files, .options = request.session };
	/* What the daemon must not interrupt, it does not interrupt for anybody. */
	taker.options.cpus_wanted = daemon.session.cpus_wanted;
	taker.options.cpus = daemon.session.cpus;
	code = open_taker(&taker);
	if (code == EXIT_OK)
		code = take(&taker);
	end(code);
}
