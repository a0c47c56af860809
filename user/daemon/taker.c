// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/message.h"
#include "daemon/taker.h"
#include "loop/loop.h"
#include "session/live.h"
#include "session/session.h"
#include "symbols/download.h"

#define RECORDS_IN_A_TURN 65536

/* Distinct stacks, and stacks in tasks, at which a profile ends early: some 200 MiB. */
#define STACKS_MOST 100000
#define CELLS_MOST 500000

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

/* Nothing of the daemon's stays open: a connection that it closes is to be closed. */
static void close_others(int *kept, size_t count)
{
	unsigned int from = STDERR_FILENO + 1;

	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j > 0 && kept[j] < kept[j - 1]; j--) {
			int other = kept[j];

			kept[j] = kept[j - 1];
			kept[j - 1] = other;
		}
	}
	for (size_t i = 0; i < count; i++) {
		unsigned int fd = (unsigned int)kept[i];

		if (kept[i] < 0 || fd < from)
			continue;
		if (fd > from)
			syscall(SYS_close_range, from, fd - 1, 0);
		from = fd + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
}

static void stand_apart(const struct request *request, const struct profiling *files, int messages)
{
	int kept[REQUEST_OUTPUTS_MOST + KTALLY_CGROUPS_MAX + 2];
	size_t count = 0;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* with the daemon goes who is to get the profile */
	kept[count++] = messages;
	kept[count++] = files->batches;
	for (size_t i = 0; i < files->output_count; i++)
		kept[count++] = files->outputs[i];
	for (uint32_t i = 0; i < request->session.cgroup_count; i++)
		kept[count++] = request->session.cgroup_fds[i];
	close_others(kept, count);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1000", 4) != 4)
			message_info("the profile is not the first to go when memory runs out: %m");
		close(fd);
	}
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
	taker->live.has_files = taker->options.files;
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
	return session_enable(taker->live.session);
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
	taker->host.rate = taker->options.rate;
	taker->host.deployment = &taker->daemon->deployment;
	taker->host.clock = ktally_get_info(taker->live.session)->clock;
	tell_result(taker, (double)(taker->live.profile->last_time - start) / 1e9);
	return write_files(taker);
}

void taker_run(const struct request *request, const struct daemon_options *daemon, const struct profiling *files, int messages)
{
	struct taker taker = { .request = request, .daemon = daemon, .files = files, .options = request->session };
	int code;

	/* fork() may have caught the library with a lock held; what the daemon has downloaded is in the cache. */
	download_allow(DOWNLOAD_NEVER);
	stand_apart(request, files, messages);
	message_copy_to(messages);
	code = open_taker(&taker);
	if (code == EXIT_OK)
		code = take(&taker);
	_exit(code);
}
