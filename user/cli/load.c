// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/message.h"
#include "base/number.h"
#include "cli/load.h"
#include "cli/source.h"
#include "lib/libktally.h"

int load_explain_open(const char *path, int error)
{
	if (error == -EBADMSG) {
		message_error("%s is not a capture: `ktally record` and ktallyd write them", path);
		return EXIT_FAILED;
	}
	if (error == -ENOENT)
		message_error("there is no capture %s: `ktally record` writes one, -i names another", path);
	else
		message_error("cannot read %s: %s", path, strerror(-error));
	return error == -EACCES || error == -EPERM ? EXIT_PERMISSION : EXIT_FAILED;
}

int load_explain_end(const char *path, int error)
{
	if (!error)
		return EXIT_OK;
	if (error == -ENODATA)
		message_error("%s ends in the middle: its recorder was killed, still runs, or had no room on the disk; "
			      "this is what came before", path);
	else if (error == -EBADMSG)
		message_error("%s is damaged; this is what came before", path);
	else
		message_error("cannot read all of %s: %s", path, strerror(-error));
	return EXIT_FAILED;
}

int load_next_value(const char **text, size_t *bytes, const char **key, const char **value)
{
	while (*bytes) {
		const char *line = *text, *end = memchr(line, '\n', *bytes), *equals;
		size_t length = end ? (size_t)(end - line) : *bytes;

		*text += length + (end ? 1 : 0);
		*bytes -= length + (end ? 1 : 0);
		equals = memchr(line, '=', length);
		if (!equals)
			continue;
		*key = intern_bytes(line, (size_t)(equals - line));
		*value = intern_bytes(equals + 1, length - (size_t)(equals + 1 - line));
		return 1;
	}
	return 0;
}

static void take_number(const char *value, uint64_t most, uint64_t *number)
{
	if (number_parse(value, 0, most, number))
		*number = 0;
}

static void take_host(struct load *load, const char *text, size_t bytes)
{
	struct export_host *host = &load->host;
	uint64_t clock = host->clock, rate = host->rate, cpus = host->cpus;
	const char *key, *value;

	while (load_next_value(&text, &bytes, &key, &value)) {
		if (!strcmp(key, "hostname"))
			host->name = value;
		else if (!strcmp(key, "release"))
			host->release = value;
		else if (!strcmp(key, "machine"))
			host->id = value;
		else if (!strcmp(key, "cpus-left-out"))
			host->cpus_left_out = value;
		else if (!strcmp(key, "command"))
			load->command = value;
		else if (!strcmp(key, "clock"))
			take_number(value, UINT32_MAX, &clock);
		else if (!strcmp(key, "rate"))
			take_number(value, KTALLY_RATE_MAX, &rate);
		else if (!strcmp(key, "cpus"))
			take_number(value, UINT16_MAX, &cpus);
		else if (!strcmp(key, "realtime"))
			take_number(value, INT64_MAX, &host->realtime);
		else if (!strcmp(key, "monotonic"))
			take_number(value, INT64_MAX, &host->monotonic);
	}
	host->clock = (uint32_t)clock;
	host->rate = (uint32_t)rate;
	host->cpus = (uint32_t)cpus;
}

static void take_records(struct load *load, const struct capture_item *item)
{
	struct profile_sample sample;
	int bytes;

	if (!load->on_sample) {
		profile_feed_item(load->profile, item);
		return;
	}
	for (size_t at = 0; at < item->bytes; at += (size_t)bytes) {
		const char *record = (const char *)item->data + at;

		bytes = ktally_check_record(record, item->bytes - at);
		if (bytes <= 0) {
			load->profile->bad_records++;
			return;		/* where the next one begins cannot be known */
		}
		if (profile_feed(load->profile, (const struct ktally_record *)record, &sample))
			load->on_sample(load->context, &sample);
	}
}

enum {
	PASS_NAMES = 1,
	PASS_RECORDS = 2,
};

static int read_items(struct load *load, const char *path, int passes, int *end)
{
	struct capture_reader *reader;
	struct capture_item item;
	int error = capture_open(&reader, path);

	if (error)
		return error;
	while ((*end = capture_next(reader, &item)) == 1) {
		if (item.type == CAPTURE_RECORDS) {
			if (passes & PASS_RECORDS)
				take_records(load, &item);
		} else if (passes & PASS_NAMES) {
			if (item.type == CAPTURE_HOST)
				take_host(load, item.data, item.bytes);
			profile_feed_item(load->profile, &item);
		}
	}
	capture_reader_close(reader);
	return 0;
}

static bool can_be_read_twice(const char *path)
{
	struct stat status;

	return strcmp(path, "-") && !stat(path, &status) && S_ISREG(status.st_mode);
}

int load_capture(struct load *load, const char *path)
{
	const struct profile_options options = {
		.cells = load->cells, .on_stack = load->source ? source_expand : NULL, .context = load->source,
		.categories = load->categories,
	};
	int error, end;

	load->host = (struct export_host){ .name = "?", .id = "", .release = "?", .os_name = "", .os_version = "" };
	load->profile = profile_create(&options);
	if (can_be_read_twice(path)) {
		error = read_items(load, path, PASS_NAMES, &end);
		if (!error)
			error = read_items(load, path, PASS_RECORDS, &end);
	} else {
		error = read_items(load, path, PASS_NAMES | PASS_RECORDS, &end);
	}
	if (!error)
		return load_explain_end(path, end);
	load_release(load);
	return load_explain_open(path, error);
}

void load_release(struct load *load)
{
	if (load->profile)
		profile_destroy(load->profile);
	load->profile = NULL;
}

void load_warn_of_losses(const struct load *load)
{
	const struct profile *profile = load->profile;
	uint64_t lost = profile->lost[KTALLY_LOST_FULL].count + profile->lost[KTALLY_LOST_BUSY].count;

	if (lost)
		message_warning("%" PRIu64 " of %" PRIu64 " samples were lost while recording", lost,
				lost + profile->oncpu.samples + profile->offcpu.samples);
	if (profile->orphans)
		message_warning("%" PRIu64 " samples are left out: their task or stack is not in the capture",
				profile->orphans);
	if (profile->bad_records)
		message_warning("%" PRIu64 " records are left out: they cannot be understood", profile->bad_records);
}
