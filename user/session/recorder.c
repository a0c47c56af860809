// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/message.h"
#include "capture/capture.h"
#include "export/export.h"
#include "session/recorder.h"

struct recorder {
	struct capture_writer *writer;
	char *path;
	struct stat file;		/* which file it is; zeroed for standard output */
	int error;			/* the first one */
};

static bool is_output(const struct recorder *recorder)
{
	return !strcmp(recorder->path, "-");
}

static const char *name_of(const struct recorder *recorder)
{
	return is_output(recorder) ? "standard output" : recorder->path;
}

/* Takes the result of each write. */
static void note(struct recorder *recorder, int error)
{
	if (!error || recorder->error)
		return;
	recorder->error = error;
	message_error("writing the capture to %s failed: %s: nothing more is written to it; what it has so far can be read",
		      name_of(recorder), strerror(-error));
}

/* Values are one line each, whatever is in them. */
static void add(struct buffer *lines, const char *key, const char *value)
{
	buffer_format(lines, "%s=", key);
	for (; *value; value++)
		buffer_append(lines, (unsigned char)*value < ' ' ? " " : value, 1);
	buffer_string(lines, "\n");
}

static void write_host(struct recorder *recorder, const struct ktally_info *info, const struct session_options *options,
		       const char *command)
{
	struct buffer lines = { 0 };
	struct export_host host = { 0 };

	export_host_fill(&host);
	export_host_leave_out(&host, &options->left_out);
	add(&lines, "hostname", host.name);
	add(&lines, "release", host.release);
	add(&lines, "machine", host.id);
	buffer_format(&lines, "clock=%u\nrate=%u\ncpus=%u\n", info->clock, options->rate, host.cpus);
	buffer_format(&lines, "realtime=%" PRIu64 "\nmonotonic=%" PRIu64 "\n", host.realtime, host.monotonic);
	if (host.cpus_left_out)
		add(&lines, "cpus-left-out", host.cpus_left_out);
	if (command)
		add(&lines, "command", command);
	note(recorder, capture_write(recorder->writer, CAPTURE_HOST, lines.data, lines.bytes));
	buffer_free(&lines);
}

int recorder_create(struct recorder **result, const char *path, const struct ktally_info *info, const struct session_options *options,
		    const char *command)
{
	struct recorder *recorder = memory_zeroed(1, sizeof(*recorder));
	int error = capture_create(&recorder->writer, path);

	if (error) {
		message_error("cannot create the capture %s: %s", path, strerror(-error));
		free(recorder);
		return error;
	}
	recorder->path = memory_string(path);
	if (!is_output(recorder) && stat(path, &recorder->file))
		recorder->file.st_ino = 0;
	write_host(recorder, info, options, command);
	*result = recorder;
	return 0;
}

void recorder_wait_for_nobody(struct recorder *recorder)
{
	capture_wait_for_nobody(recorder->writer);
}

void recorder_write_kallsyms(struct recorder *recorder, const char *text, size_t bytes)
{
	if (!recorder->error)
		note(recorder, capture_write_kallsyms(recorder->writer, text, bytes));
}

void recorder_write(struct recorder *recorder, const struct ktally_record *record)
{
	if (!recorder->error)
		note(recorder, capture_write_record(recorder->writer, record, record->size));
}

void recorder_write_mappings(struct recorder *recorder, uint64_t mm_id, uint32_t pid, const char *executable, const char *text, size_t bytes)
{
	if (!recorder->error)
		note(recorder, capture_write_mappings(recorder->writer, mm_id, pid, executable, text, bytes));
}

void recorder_write_file(struct recorder *recorder, const struct loaded *loaded)
{
	const struct symbols_file *file = &loaded->file;
	struct capture_file header = {
		.identity = file->identity, .status = file->deleted ? KTALLY_FILE_DELETED : 0, .error = file->error,
		.build_id_bytes = (uint32_t)file->build_id_bytes, .content_bytes = loaded->content_bytes,
	};

	memcpy(header.build_id, file->build_id, file->build_id_bytes);
	if (!recorder->error)
		note(recorder, capture_write_file(recorder->writer, &header, file->path, loaded->packed, loaded->packed_bytes));
}

void recorder_write_owner(struct recorder *recorder, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes)
{
	if (!recorder->error)
		note(recorder, capture_write_owner(recorder->writer, mm_id, cgroup_id, text, bytes));
}

void recorder_write_account(struct recorder *recorder, const char *text, size_t bytes)
{
	if (!recorder->error)
		note(recorder, capture_write(recorder->writer, CAPTURE_ACCOUNT, text, bytes));
}

void recorder_flush(struct recorder *recorder)
{
	if (!recorder->error)
		note(recorder, capture_flush(recorder->writer));
}

bool recorder_is_in_place(const struct recorder *recorder)
{
	struct stat now;

	return is_output(recorder) || (!stat(recorder->path, &now) && now.st_dev == recorder->file.st_dev &&
				       now.st_ino == recorder->file.st_ino);
}

bool recorder_has_failed(const struct recorder *recorder)
{
	return recorder->error;
}

uint64_t recorder_bytes(const struct recorder *recorder)
{
	struct stat status;

	if (is_output(recorder) || stat(recorder->path, &status))
		return 0;
	return (uint64_t)status.st_size;
}

int recorder_close(struct recorder *recorder)
{
	int error;

	if (!recorder)
		return 0;
	note(recorder, capture_close(recorder->writer));
	error = recorder->error;
	free(recorder->path);
	free(recorder);
	return error;
}
