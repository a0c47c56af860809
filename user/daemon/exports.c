// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "daemon/check.h"
#include "daemon/exporter.h"
#include "daemon/exports.h"
#include "daemon/lines.h"
#include "export/cumulative.h"
#include "export/elasticsearch.h"
#include "export/json_lines.h"
#include "export/otlp.h"

/* Those of ktally itself, which are not under the cap: its counters, and two for each cgroup that is compared, which change. */
#define SERIES_OF_KTALLY 256

struct exports {
	const struct daemon_options *options;
	struct loop *loop;
	struct exporter *otlp, *elasticsearch;	/* NULL: none */
	struct lines *lines;			/* NULL: none are written */
	struct cumulative *cumulative;		/* NULL: nobody wants these */
	struct buffer message;			/* kept for its memory */
};

/* ---- making ---- */

/* Without an endpoint, nothing is sent there. EXIT_OK, or an exit code after a message; the next as well. */
static int otlp_options(const struct daemon_options *options, struct sender_options *sender)
{
	*sender = (struct sender_options){ .endpoint = options->endpoint, .spool = options->spool, .spool_bytes = options->spool_bytes };
	if (!options->otlp)
		sender->endpoint = NULL;
	else if (otlp_options_from_environment(sender, &otlp_metrics))
		return EXIT_USAGE;
	return EXIT_OK;
}

static int documents_options(const struct daemon_options *options, struct sender_options *sender)
{
	*sender = (struct sender_options){ .spool = options->spool, .spool_bytes = options->spool_bytes };
	return options->elasticsearch && elasticsearch_options(sender, options->elasticsearch) ? EXIT_USAGE : EXIT_OK;
}

static int open_otlp(struct exports *exports)
{
	struct sender_options sender;
	int code = otlp_options(exports->options, &sender);

	return code == EXIT_OK && sender.endpoint ? exporter_create(&exports->otlp, exports->loop, &sender) : code;
}

static int open_elasticsearch(struct exports *exports)
{
	struct sender_options sender;
	int code = documents_options(exports->options, &sender);

	return code == EXIT_OK && sender.endpoint ? exporter_create(&exports->elasticsearch, exports->loop, &sender) : code;
}

int exports_check(const struct daemon_options *options)
{
	struct sender_options otlp, documents;
	int error, code = otlp_options(options, &otlp);

	if (code == EXIT_OK)
		code = exporter_check(&otlp);
	if (code == EXIT_OK)
		code = documents_options(options, &documents);
	if (code == EXIT_OK)
		code = exporter_check(&documents);
	error = code == EXIT_OK && options->json_lines ? check_place(options->json_lines, false) : 0;
	if (!error)
		return code;
	message_error("cannot write lines to %s: %s", options->json_lines, strerror(-error));
	return EXIT_FAILED;
}

static int open_lines(struct exports *exports)
{
	const struct daemon_options *options = exports->options;

	if (!options->json_lines)
		return EXIT_OK;
	return lines_create(&exports->lines, options->json_lines, options->json_lines_bytes, options->json_lines_files);
}

static void say_where_to(const struct exports *exports)
{
	const double seconds = (double)exports->options->interval / 1000;

	if (exports->otlp)
		message_info("sending %s to %s every %.3g s", exports->options->cumulative ? "metrics as cumulative sums" : "metrics",
			     exporter_endpoint(exports->otlp), seconds);
	if (exports->elasticsearch)
		message_info("sending documents to %s every %.3g s", exporter_endpoint(exports->elasticsearch), seconds);
	if (exports->otlp || exports->elasticsearch || exports->options->prometheus)
		return;
	if (exports->options->otlp)
		message_info("metrics are not sent: give --endpoint URL or OTEL_EXPORTER_OTLP_ENDPOINT to send them to a collector");
	else
		message_info("metrics are not sent: the environment says OTEL_SDK_DISABLED or OTEL_METRICS_EXPORTER=none");
}

int exports_create(struct exports **result, struct loop *loop, const struct daemon_options *options)
{
	struct exports *exports = memory_zeroed(1, sizeof(*exports));
	int code;

	exports->options = options;
	exports->loop = loop;
	code = open_otlp(exports);
	if (code == EXIT_OK)
		code = open_elasticsearch(exports);
	if (code == EXIT_OK)
		code = open_lines(exports);
	if (code != EXIT_OK) {
		exports_destroy(exports);
		return code;
	}
	if (options->prometheus || options->metrics_json || options->out || (exports->otlp && options->cumulative))
		exports->cumulative = cumulative_create(options->series + SERIES_OF_KTALLY);
	say_where_to(exports);
	*result = exports;
	return EXIT_OK;
}

void exports_destroy(struct exports *exports)
{
	if (!exports)
		return;
	exporter_destroy(exports->otlp);
	exporter_destroy(exports->elasticsearch);
	lines_destroy(exports->lines);
	cumulative_destroy(exports->cumulative);
	buffer_free(&exports->message);
	free(exports);
}

/* ---- sending ---- */

static void count_delivery(const struct exports *exports, struct profile *profile)
{
	profile->delivery = (struct profile_delivery){ 0 };
	exporter_add_delivery(exports->otlp, &profile->delivery);
	exporter_add_delivery(exports->elasticsearch, &profile->delivery);
}

static void send_otlp(struct exports *exports, const struct metrics *metrics)
{
	size_t next = 0, points;

	while (buffer_clear(&exports->message), (points = metrics_pack(&exports->message, metrics, &next)))
		exporter_submit(exports->otlp, &exports->message, points);
}

static void send_documents(void *context, const struct buffer *batch, size_t documents)
{
	exporter_submit(((struct exports *)context)->elasticsearch, batch, documents);
}

static void write_lines(struct exports *exports, const struct metrics *metrics)
{
	buffer_clear(&exports->message);
	json_lines(&exports->message, metrics);
	lines_write(exports->lines, &exports->message);
}

void exports_send(struct exports *exports, struct profile *profile, const struct export_host *host, uint64_t start, uint64_t end)
{
	bool cumulative = exports->otlp && exports->options->cumulative;
	struct metrics new, totals;

	count_delivery(exports, profile);
	metrics_build(&new, profile, host, start, end, false);
	if (exports->cumulative)
		cumulative_take(exports->cumulative, &new, true, cumulative ? &totals : NULL);
	if (cumulative) {
		cumulative_name_instances(&totals);
		send_otlp(exports, &totals);
		metrics_free(&totals);
	} else if (exports->otlp) {
		send_otlp(exports, &new);
	}
	if (exports->elasticsearch)
		elasticsearch_write(&new, exports->options->elasticsearch_namespace, send_documents, exports);
	if (exports->lines)
		write_lines(exports, &new);
	metrics_free(&new);
	export_metrics_mark(profile);
}

void exports_add_up(struct exports *exports, struct profile *profile, const struct export_host *host, uint64_t start,
		    struct metrics *totals)
{
	struct metrics new;

	count_delivery(exports, profile);
	metrics_build(&new, profile, host, start, host->realtime, false);
	cumulative_take(exports->cumulative, &new, false, totals);
	metrics_free(&new);
}

void exports_finish(struct exports *exports, uint64_t milliseconds, const bool *impatient)
{
	struct exporter *all[] = { exports->otlp, exports->elasticsearch };
	uint64_t start = loop_now();

	/* Both get on whichever is waited for. */
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint64_t passed = (loop_now() - start) / 1000000;

		if (all[i])
			exporter_finish(all[i], passed < milliseconds ? milliseconds - passed : 0, impatient);
	}
}

bool exports_have_failed(const struct exports *exports)
{
	return exports->lines && lines_lost(exports->lines);
}

static void describe(const struct exporter *exporter, struct buffer *text)
{
	if (exporter)
		buffer_format(text, "%s%s %s", text->bytes ? ", " : "", exporter_is_failing(exporter) ? "NOT delivered to" : "exporting to",
			      exporter_endpoint(exporter));
}

void exports_describe(const struct exports *exports, struct buffer *text)
{
	buffer_clear(text);
	buffer_string(text, "");
	describe(exports->otlp, text);
	describe(exports->elasticsearch, text);
	if (!text->bytes)
		buffer_string(text, exports->options->prometheus ? "serving metrics" : "not exporting");
}
