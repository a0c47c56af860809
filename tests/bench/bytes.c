// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How large is what ktally sends of a capture, made by what makes it for the daemon: see bytes.sh. Each request is
 * compressed by itself, as it is sent. Prints lines of a name and bytes: as they are, by gzip, by zstd.
 *
 * usage: bytes metrics SECONDS CAPTURE		two exports, of so many seconds each
 *	  bytes profiles CAPTURE
 *	  bytes file NAME FILE			of somebody else
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/message.h"
#include "base/number.h"
#include "capture/capture.h"
#include "config/categories.h"
#include "export/compress.h"
#include "export/cumulative.h"
#include "export/elasticsearch.h"
#include "export/export.h"
#include "export/metrics.h"
#include "export/prometheus.h"
#include "lib/libktally.h"

#define EXPORTS		2
#define SERIES_MOST	80000
#define BATCH_BYTES	(2U << 20)	/* as the daemon sends profiles */
#define FILE_BYTES_MOST	(1U << 30)

struct sizes {
	uint64_t requests;
	uint64_t bytes[COMPRESSIONS];
};

static void add_request(struct sizes *sizes, const void *data, size_t bytes)
{
	sizes->requests++;
	sizes->bytes[COMPRESSION_NONE] += bytes;
	for (enum compression i = COMPRESSION_GZIP; i < COMPRESSIONS; i++) {
		struct buffer packed = { 0 };

		compress_append(&packed, i, data, bytes);
		sizes->bytes[i] += packed.bytes;
		buffer_free(&packed);
	}
}

static void print_sizes(const char *name, const struct sizes *sizes)
{
	printf("%s", name);
	for (enum compression i = COMPRESSION_NONE; i < COMPRESSIONS; i++)
		printf("\t%" PRIu64, sizes->bytes[i]);
	printf("\n");
}

/* ---- captures ---- */

typedef void before_record(void *context, struct profile *profile, const struct ktally_record *record);

static void feed_records(struct profile *profile, const struct capture_item *item, before_record *before, void *context)
{
	int bytes;

	for (size_t at = 0; at < item->bytes; at += (size_t)bytes) {
		const struct ktally_record *record = (const void *)((const char *)item->data + at);

		bytes = ktally_check_record(record, item->bytes - at);
		if (bytes <= 0)
			message_fatal(EXIT_FAILED, "the capture is damaged");
		if (before)
			before(context, profile, record);
		profile_feed(profile, record, NULL);
	}
}

static void feed_capture(struct profile *profile, const char *path, before_record *before, void *context)
{
	struct capture_reader *reader;
	struct capture_item item;
	int result = capture_open(&reader, path);

	if (result)
		message_fatal(EXIT_FAILED, "cannot read %s: %s", path, strerror(-result));
	while ((result = capture_next(reader, &item)) == 1) {
		if (item.type == CAPTURE_RECORDS)
			feed_records(profile, &item, before, context);
		else
			profile_feed_item(profile, &item);
	}
	if (result)
		message_fatal(EXIT_FAILED, "%s: %s", path, strerror(-result));
	capture_reader_close(reader);
}

/* ---- metrics ---- */

struct exports {
	struct export_host host;
	struct cumulative *cumulative;
	uint64_t nanoseconds;		/* between exports */
	uint64_t start;			/* of the window, as records count; 0: before the first sample */
	unsigned int made;
	size_t points;
	struct sizes otlp, bulk, page;
};

static void add_documents(void *context, const struct buffer *batch, size_t documents)
{
	(void)documents;
	add_request(context, batch->data, batch->bytes);
}

/* What the daemon does at each export (daemon/exports.c), but for the sending. */
static void export_window(struct exports *exports, struct profile *profile, uint64_t end)
{
	struct buffer message = { 0 };
	struct metrics new, totals;
	size_t next = 0, points;

	metrics_build(&new, profile, &exports->host, export_realtime(&exports->host, exports->start),
		      export_realtime(&exports->host, end), false);
	while (buffer_clear(&message), (points = metrics_pack(&message, &new, &next))) {
		add_request(&exports->otlp, message.data, message.bytes);
		exports->points += points;
	}
	elasticsearch_write(&new, "default", add_documents, &exports->bulk);
	cumulative_take(exports->cumulative, &new, true, &totals);
	if (exports->made + 1 == EXPORTS) {
		buffer_clear(&message);
		prometheus_write(&message, &totals, PROMETHEUS_TEXT);
		add_request(&exports->page, message.data, message.bytes);
	}
	metrics_free(&totals);
	metrics_free(&new);
	export_metrics_mark(profile);
	buffer_free(&message);
}

static void export_in_time(void *context, struct profile *profile, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	struct exports *exports = context;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	if (!exports->start)
		exports->start = sample->time;
	if (exports->made == EXPORTS || sample->time < exports->start + exports->nanoseconds)
		return;
	export_window(exports, profile, exports->start + exports->nanoseconds);
	exports->start += exports->nanoseconds;
	exports->made++;
}

static int measure_metrics(uint64_t seconds, const char *path)
{
	struct profile_options options = { .classes_only = true, .categories = config_categories(NULL, NULL) };
	struct profile *profile = profile_create(&options);
	struct exports exports = { .nanoseconds = seconds * 1000000000, .cumulative = cumulative_create(SERIES_MOST) };

	export_host_fill(&exports.host);
	feed_capture(profile, path, export_in_time, &exports);
	/* A minute's last sample is some milliseconds before its end. */
	if (exports.made + 1 == EXPORTS && profile->last_time > exports.start + exports.nanoseconds / 10 * 9) {
		export_window(&exports, profile, profile->last_time);
		exports.made++;
	}
	if (exports.made != EXPORTS)
		message_fatal(EXIT_FAILED, "%s is too short", path);
	print_sizes("otlp", &exports.otlp);
	print_sizes("bulk", &exports.bulk);
	print_sizes("page", &exports.page);
	printf("points\t%zu\n", exports.points);
	cumulative_destroy(exports.cumulative);
	profile_destroy(profile);
	categories_destroy(options.categories);
	return EXIT_OK;
}

/* ---- profiles ---- */

static int add_profiles(void *context, const struct buffer *request, size_t samples)
{
	(void)samples;
	add_request(context, request->data, request->bytes);
	return 0;
}

/* It is compressed already. */
static void measure_pprof(struct sizes *sizes, const struct profile *profile, const struct export_host *host)
{
	char *data = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&data, &bytes);
	int error = file ? export_pprof(file, profile, KTALLY_SOURCE_ONCPU, host) : -errno;

	if (!error && fclose(file))
		error = -errno;
	if (error)
		message_fatal(EXIT_FAILED, "cannot write pprof: %s", strerror(-error));
	sizes->bytes[COMPRESSION_GZIP] = bytes;
	free(data);
}

static int measure_profiles(const char *path)
{
	const struct profile_options options = { .cells = true };
	struct profile *profile = profile_create(&options);
	struct sizes otlp = { 0 }, pprof = { 0 };
	struct export_host host = { 0 };

	export_host_fill(&host);
	feed_capture(profile, path, NULL, NULL);
	if (export_profiles(profile, KTALLY_SOURCE_ONCPU, &host, BATCH_BYTES, add_profiles, &otlp))
		message_fatal(EXIT_FAILED, "cannot write OTLP profiles");
	measure_pprof(&pprof, profile, &host);
	print_sizes("otlp", &otlp);
	print_sizes("pprof", &pprof);
	printf("samples\t%" PRIu64 "\t%zu\n", profile->oncpu.samples, profile->stacks.used);
	profile_destroy(profile);
	return EXIT_OK;
}

static int measure_file(const char *name, const char *path)
{
	struct buffer content = { 0 };
	struct sizes sizes = { 0 };
	int error = buffer_read_file(&content, path, FILE_BYTES_MOST);

	if (error)
		message_fatal(EXIT_FAILED, "cannot read %s: %s", path, strerror(-error));
	add_request(&sizes, content.data, content.bytes);
	print_sizes(name, &sizes);
	buffer_free(&content);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	uint64_t seconds;

	if (argc == 4 && !strcmp(argv[1], "metrics") && !number_parse(argv[2], 1, 3600, &seconds))
		return measure_metrics(seconds, argv[3]);
	if (argc == 3 && !strcmp(argv[1], "profiles"))
		return measure_profiles(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "file"))
		return measure_file(argv[2], argv[3]);
	return EXIT_USAGE;
}
