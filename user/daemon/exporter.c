// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "daemon/exporter.h"

#define SOCKETS_MAX 16

struct exporter {
	struct loop *loop;
	struct otlp *otlp;
	char *endpoint;			/* as it is shown: without a query, which may be a secret */
	struct loop_timer timer;
	int watches[SOCKETS_MAX];
	size_t watch_count;
	struct buffer message;		/* kept for its memory */
	uint64_t points;		/* submitted */
	bool failing;
	struct otlp_statistics before;	/* when it began to fail, or at the last good request */
};

static void move_on(struct exporter *exporter);

static void on_ready(void *context, short events)
{
	(void)events;
	move_on(context);
}

static void on_time(void *context)
{
	move_on(context);
}

/* ---- what people are told ---- */

static void tell_recovery(const struct exporter *exporter, const struct otlp_statistics *now)
{
	const struct otlp_statistics *before = &exporter->before;
	uint64_t dropped = now->points_dropped - before->points_dropped;

	if (dropped)
		message_warning("%s takes metrics again after %" PRIu64 " failed requests; %" PRIu64 " data points were dropped meanwhile",
				exporter->endpoint, now->failures - before->failures, dropped);
	else
		message_info("%s takes metrics again after %" PRIu64 " failed requests; nothing was dropped", exporter->endpoint,
			     now->failures - before->failures);
}

static void look_for_changes(struct exporter *exporter)
{
	struct otlp_statistics now;
	bool failing;

	otlp_get_statistics(exporter->otlp, &now);
	failing = now.last_error[0];
	if (failing && !exporter->failing) {
		message_warning("%s does not take metrics: %s: sampling goes on, metrics are kept as long as there is room and "
				"sent when it answers again", exporter->endpoint, now.last_error);
	} else if (!failing && exporter->failing) {
		tell_recovery(exporter, &now);
	}
	if (now.points_rejected && !exporter->before.points_rejected)
		message_warning("%s rejected %" PRIu64 " data points of what it took%s%s: see its own log too", exporter->endpoint,
				now.points_rejected, now.last_rejection[0] ? ": " : "", now.last_rejection);
	if (!failing)
		exporter->before = now;
	exporter->failing = failing;
}

/* ---- the loop ---- */

/*
 * After every step libcurl may have closed a socket and opened another with the same number, and a request of io_uring goes on
 * watching what the number meant before. So all watches are renewed: a handful, a few times in each export.
 */
static void watch_anew(struct exporter *exporter)
{
	struct pollfd fds[SOCKETS_MAX];
	size_t count;
	int milliseconds;

	while (exporter->watch_count)
		loop_unwatch(exporter->loop, exporter->watches[--exporter->watch_count]);
	count = otlp_fds(exporter->otlp, fds, SOCKETS_MAX);
	for (size_t i = 0; i < count && i < SOCKETS_MAX; i++) {
		int watch = loop_watch(exporter->loop, fds[i].fd, fds[i].events, LOOP_LEVEL, on_ready, exporter);

		if (watch >= 0)
			exporter->watches[exporter->watch_count++] = watch;
	}
	milliseconds = otlp_timeout(exporter->otlp);
	if (milliseconds >= 0)
		loop_timer_set(exporter->loop, &exporter->timer, (uint64_t)milliseconds);
	else
		loop_timer_cancel(exporter->loop, &exporter->timer);
}

static void move_on(struct exporter *exporter)
{
	otlp_run(exporter->otlp);
	watch_anew(exporter);
	look_for_changes(exporter);
}

int exporter_create(struct exporter **result, struct loop *loop, const char *endpoint)
{
	struct otlp_options options = { .endpoint = endpoint };
	struct exporter *exporter;

	*result = NULL;
	if (otlp_options_from_environment(&options))
		return EXIT_USAGE;
	if (!options.endpoint)
		return EXIT_OK;
	exporter = memory_zeroed(1, sizeof(*exporter));
	exporter->loop = loop;
	exporter->timer = (struct loop_timer){ .expired = on_time, .context = exporter };
	exporter->endpoint = memory_string(options.endpoint);
	exporter->endpoint[strcspn(exporter->endpoint, "?")] = '\0';
	exporter->otlp = otlp_create(&options);
	if (!exporter->otlp) {
		exporter_destroy(exporter);
		return EXIT_FAILED;
	}
	*result = exporter;
	return EXIT_OK;
}

void exporter_destroy(struct exporter *exporter)
{
	if (!exporter)
		return;
	while (exporter->watch_count)
		loop_unwatch(exporter->loop, exporter->watches[--exporter->watch_count]);
	loop_timer_cancel(exporter->loop, &exporter->timer);
	if (exporter->otlp)
		otlp_destroy(exporter->otlp);
	buffer_free(&exporter->message);
	free(exporter->endpoint);
	free(exporter);
}

const char *exporter_endpoint(const struct exporter *exporter)
{
	return exporter->endpoint;
}

bool exporter_is_failing(const struct exporter *exporter)
{
	return exporter->failing;
}

void exporter_send(struct exporter *exporter, struct profile *profile, const struct export_host *host, uint64_t start, uint64_t end)
{
	size_t points;
	int error;

	buffer_clear(&exporter->message);
	points = export_metrics_protobuf(&exporter->message, profile, host, start, end);
	if (points) {
		error = otlp_submit(exporter->otlp, exporter->message.data, exporter->message.bytes, points);
		if (error && error != -ENOBUFS)
			message_error("%zu data points cannot be sent: %s", points, strerror(-error));
	}
	move_on(exporter);
}

static void on_end(void *context)
{
	*(bool *)context = true;
}

void exporter_finish(struct exporter *exporter, uint64_t milliseconds, const bool *impatient)
{
	bool is_late = false;
	struct loop_timer deadline = { .expired = on_end, .context = &is_late };
	struct otlp_statistics statistics;

	loop_timer_set(exporter->loop, &deadline, milliseconds);
	while (!otlp_idle(exporter->otlp) && !is_late && !*impatient)
		if (loop_turn(exporter->loop))
			break;
	loop_timer_cancel(exporter->loop, &deadline);

	otlp_get_statistics(exporter->otlp, &statistics);
	if (!otlp_idle(exporter->otlp))
		message_warning("the last metrics were not delivered to %s within %.3g s%s%s: they are lost", exporter->endpoint,
				(double)milliseconds / 1000, statistics.last_error[0] ? ": " : "", statistics.last_error);
	if (statistics.points_dropped)
		message_warning("%" PRIu64 " data points were dropped in all because %s did not take them", statistics.points_dropped,
				exporter->endpoint);
}
