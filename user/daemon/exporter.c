// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "daemon/check.h"
#include "daemon/exporter.h"

struct exporter {
	struct loop *loop;
	struct sender *sender;
	char *endpoint;			/* as it is shown: without a query, which may be a secret */
	struct loop_timer timer;
	int watches[SENDER_FDS_MOST];
	size_t watch_count;
	char *spool;			/* NULL: none */
	const char *what;		/* is sent: "metrics" */
	bool failing, full;
	int spool_error;
	uint64_t evicted, dropped;	/* batches, when last looked at */
	struct sender_statistics before;	/* when it began to fail, or at the last good request */
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

/* Points that no destination will get: refused, or for want of room. */
static uint64_t lost(const struct sender_statistics *statistics)
{
	return statistics->points_refused + statistics->queue.points_dropped + statistics->queue.points_evicted;
}

static void tell_recovery(const struct exporter *exporter, const struct sender_statistics *now)
{
	const struct sender_statistics *before = &exporter->before;
	uint64_t dropped = lost(now) - lost(before);
	struct buffer waiting = { 0 };

	buffer_string(&waiting, "");
	if (now->queue.batches > 1)
		buffer_format(&waiting, ", and gets the %" PRIu64 " batches that wait", now->queue.batches);
	if (dropped)
		message_warning("%s takes %s again after %" PRIu64 " failed requests; %" PRIu64 " data points were dropped meanwhile%s",
				exporter->endpoint, exporter->what, now->failures - before->failures, dropped, waiting.data);
	else
		message_info("%s takes %s again after %" PRIu64 " failed requests; nothing was dropped%s", exporter->endpoint, exporter->what,
			     now->failures - before->failures, waiting.data);
	buffer_free(&waiting);
}

static void look_at_spool(struct exporter *exporter, const struct sender_statistics *now)
{
	int error = now->queue.spool_error, former = exporter->spool_error;

	if (!exporter->spool)
		return;
	if (error && !former)
		message_warning("the spool %s cannot be written: %s: what waits to be sent is kept in memory, up to %u MiB", exporter->spool,
				strerror(-error), QUEUE_MEMORY_MOST >> 20);
	else if (!error && former)
		message_info("the spool %s can be written again", exporter->spool);
	exporter->spool_error = error;
}

/* Once, until all that waited was sent. */
static void look_for_losses(struct exporter *exporter, const struct queue_statistics *now)
{
	bool evicted = now->batches_evicted != exporter->evicted, dropped = now->batches_dropped != exporter->dropped;

	if ((evicted || dropped) && !exporter->full)
		message_warning("%s: the oldest %s that wait for %s are given up for newer ones, and counted",
				evicted ? "the spool is full" : "there is no room for more", exporter->what, exporter->endpoint);
	exporter->full = evicted || dropped || (exporter->full && now->batches);
	exporter->evicted = now->batches_evicted;
	exporter->dropped = now->batches_dropped;
}

static void look_for_changes(struct exporter *exporter)
{
	struct sender_statistics now;
	bool failing;

	sender_get_statistics(exporter->sender, &now);
	failing = now.last_error[0];
	look_at_spool(exporter, &now);
	if (failing && !exporter->failing) {
		message_warning("%s does not take %s: %s: sampling goes on, %s are kept as long as there is room and sent when it answers again",
				exporter->endpoint, exporter->what, now.last_error, exporter->what);
	} else if (!failing && exporter->failing) {
		tell_recovery(exporter, &now);
	}
	if (now.points_rejected && !exporter->before.points_rejected)
		message_warning("%s rejected %" PRIu64 " data points of what it took%s%s: see its own log too", exporter->endpoint,
				now.points_rejected, now.last_rejection[0] ? ": " : "", now.last_rejection);
	look_for_losses(exporter, &now.queue);
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
	struct pollfd fds[SENDER_FDS_MOST];
	size_t count;
	int milliseconds;

	while (exporter->watch_count)
		loop_unwatch(exporter->loop, exporter->watches[--exporter->watch_count]);
	count = sender_fds(exporter->sender, fds, SENDER_FDS_MOST);
	for (size_t i = 0; i < count && i < SENDER_FDS_MOST; i++) {
		int watch = loop_watch(exporter->loop, fds[i].fd, fds[i].events, LOOP_LEVEL, on_ready, exporter);

		if (watch >= 0)
			exporter->watches[exporter->watch_count++] = watch;
	}
	milliseconds = sender_timeout(exporter->sender);
	if (milliseconds >= 0)
		loop_timer_set(exporter->loop, &exporter->timer, (uint64_t)milliseconds);
	else
		loop_timer_cancel(exporter->loop, &exporter->timer);
}

static void move_on(struct exporter *exporter)
{
	sender_run(exporter->sender);
	watch_anew(exporter);
	look_for_changes(exporter);
}

static void tell_of_former_run(const struct exporter *exporter)
{
	struct sender_statistics now;

	sender_get_statistics(exporter->sender, &now);
	if (now.queue.found)
		message_info("%" PRIu64 " batches of %s are in the spool %s from before: they are sent first", now.queue.found, exporter->what,
			     exporter->spool);
	if (now.queue.damaged)
		message_warning("%" PRIu64 " batches in the spool %s were damaged, and are lost", now.queue.damaged, exporter->spool);
}

int exporter_check(const struct sender_options *options)
{
	struct buffer path = { 0 };
	int error;

	if (!options->endpoint || !options->spool)
		return EXIT_OK;
	buffer_format(&path, "%s/%s", options->spool, options->protocol->name);
	error = check_place(options->spool, true);
	if (!error && !access(options->spool, F_OK))
		error = check_place(path.data, true);
	if (error)
		message_error("the spool %s cannot be used: %s", path.data, strerror(-error));
	buffer_free(&path);
	return error ? EXIT_FAILED : EXIT_OK;
}

int exporter_create(struct exporter **result, struct loop *loop, const struct sender_options *wanted)
{
	struct exporter *exporter = memory_zeroed(1, sizeof(*exporter));
	struct sender_options options = *wanted;
	struct sender_statistics statistics;
	struct buffer spool = { 0 };

	exporter->loop = loop;
	exporter->timer = (struct loop_timer){ .expired = on_time, .context = exporter };
	exporter->what = options.protocol->name;
	exporter->endpoint = memory_string(options.endpoint);
	exporter->endpoint[strcspn(exporter->endpoint, "?")] = '\0';
	if (options.spool)
		buffer_format(&spool, "%s/%s", options.spool, exporter->what);
	exporter->spool = spool.data;
	options.spool = spool.data;
	exporter->sender = sender_create(&options);
	if (!exporter->sender) {
		exporter_destroy(exporter);
		return EXIT_FAILED;
	}
	sender_get_statistics(exporter->sender, &statistics);
	exporter->spool_error = statistics.queue.spool_error;		/* was told */
	tell_of_former_run(exporter);
	move_on(exporter);
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
	if (exporter->sender)
		sender_destroy(exporter->sender);
	free(exporter->spool);
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

void exporter_get_statistics(const struct exporter *exporter, struct sender_statistics *statistics)
{
	sender_get_statistics(exporter->sender, statistics);
}

void exporter_add_delivery(const struct exporter *exporter, struct profile_delivery *delivery)
{
	struct sender_statistics now;

	if (!exporter)
		return;
	sender_get_statistics(exporter->sender, &now);
	delivery->requests += now.requests;
	delivery->retries += now.retries;
	delivery->batches += now.queue.added;
	delivery->batches_spooled += now.queue.spooled;
	delivery->batches_refused += now.batches_refused;
	delivery->batches_evicted += now.queue.batches_evicted;
	delivery->batches_dropped += now.queue.batches_dropped;
	delivery->batches_damaged += now.queue.damaged;
	delivery->points_refused += now.points_refused;
	delivery->points_evicted += now.queue.points_evicted;
	delivery->points_dropped += now.queue.points_dropped;
	delivery->points_rejected += now.points_rejected;
}

void exporter_submit(struct exporter *exporter, const struct buffer *message, size_t points)
{
	int error = sender_submit(exporter->sender, message->data, message->bytes, points);

	if (error)
		message_error("%zu data points cannot be sent: %s", points, strerror(-error));
	move_on(exporter);
}

/* ---- the end ---- */

static void on_end(void *context)
{
	*(bool *)context = true;
}

static bool is_at_end(const struct exporter *exporter)
{
	return sender_idle(exporter->sender) || (exporter->failing && sender_is_safe(exporter->sender));
}

static void tell_what_is_left(const struct exporter *exporter, uint64_t milliseconds)
{
	struct sender_statistics now;

	sender_get_statistics(exporter->sender, &now);
	if (now.queue.spool_batches)
		message_info("%" PRIu64 " batches of %s stay in the spool %s until ktallyd runs again%s%s", now.queue.spool_batches, exporter->what,
			     exporter->spool, now.last_error[0] ? ": " : "", now.last_error);
	if (now.queue.batches > now.queue.spool_batches)
		message_warning("the last %s were not delivered to %s within %.3g s%s%s: they are lost", exporter->what, exporter->endpoint,
				(double)milliseconds / 1000, now.last_error[0] ? ": " : "", now.last_error);
	if (lost(&now))
		message_warning("%" PRIu64 " data points were dropped in all because %s did not take them", lost(&now), exporter->endpoint);
}

void exporter_finish(struct exporter *exporter, uint64_t milliseconds, const bool *impatient)
{
	bool is_late = false;
	struct loop_timer deadline = { .expired = on_end, .context = &is_late };

	loop_timer_set(exporter->loop, &deadline, milliseconds);
	while (!is_at_end(exporter) && !is_late && !*impatient)
		if (loop_turn(exporter->loop))
			break;
	loop_timer_cancel(exporter->loop, &deadline);
	tell_what_is_left(exporter, milliseconds);
}
