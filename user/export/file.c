// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file appears under its name when all of it is there, and but for metrics on the disk, or not at all. Only its owner can read it, as with
 * what perf records: a profile of a host tells what everybody on it runs. A pipe or a device is written to as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "confine/opener.h"
#include "export/export.h"
#include "export/metrics.h"

/* How long who reads metrics from a pipe may keep waiting who writes them: without taking anything, and in all. */
#define PATIENCE_MS	100
#define PATIENCE_ALL_MS	1000

/* What is to be written: what a writer writes, metrics, or what is in a descriptor. */
struct content {
	int from;
	const struct metrics *metrics;
	export_writer *writer;
	const struct profile *profile;
	uint32_t sources;
	const struct export_host *host;
};

static int copy(FILE *file, int from)
{
	char data[16384];
	ssize_t bytes;

	while ((bytes = read(from, data, sizeof(data))) > 0) {
		if (fwrite(data, 1, (size_t)bytes, file) != (size_t)bytes)
			return -errno;
	}
	return bytes < 0 ? -errno : 0;
}

static int write_content(FILE *file, const struct content *content)
{
	if (content->writer)
		return content->writer(file, content->profile, content->sources, content->host);
	return content->metrics ? metrics_write_json(file, content->metrics) : copy(file, content->from);
}

static int write_all(int fd, const struct content *content, bool sync)
{
	FILE *file = fdopen(fd, "w");
	int error;

	if (!file) {
		error = -errno;
		close(fd);
		return error;
	}
	error = write_content(file, content);
	if (fflush(file) && !error)
		error = -errno;
	if (sync && !error && fsync(fd))
		error = -errno;
	if (fclose(file) && !error)
		error = -errno;
	return error;
}

static int replace(const char *path, const struct content *content)
{
	static const char suffix[] = ".XXXXXX";
	size_t bytes = strlen(path) + sizeof(suffix);
	char *temporary = memory_zeroed(1, bytes);
	int fd, error;

	snprintf(temporary, bytes, "%s%s", path, suffix);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		error = -errno;
		free(temporary);
		return error;
	}
	/* Metrics are written anew soon, and the disk that others keep busy is not waited for by who has a host to sample. */
	error = write_all(fd, content, !content->metrics);
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	free(temporary);
	return error;
}

static int write_to(int fd, const struct content *content)
{
	return fd < 0 ? fd : write_all(fd, content, false);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Standard output may be another's too, who wants it to block: that much a pipe takes at once when there is room in it at all. */
static int write_in_time(int fd, const char *data, size_t bytes)
{
	const int64_t end = now_ms() + PATIENCE_ALL_MS;

	while (bytes) {
		int ready = poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, PATIENCE_MS);
		ssize_t wrote;

		if (!ready || now_ms() >= end)
			return -ETIMEDOUT;
		wrote = ready < 0 ? -1 : write(fd, data, bytes < PIPE_BUF ? bytes : PIPE_BUF);
		if (wrote < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (wrote <= 0)
			continue;
		data += wrote;
		bytes -= (size_t)wrote;
	}
	return 0;
}

/* Takes the descriptor. Whoever reads a pipe may stop: who writes metrics has a host to sample, and does not wait for him. */
static int write_metrics(int fd, const struct metrics *metrics)
{
	size_t bytes = 0;
	char *text = NULL;
	FILE *memory = fd < 0 ? NULL : open_memstream(&text, &bytes);
	int error = fd < 0 ? fd : -ENOMEM;

	if (memory) {
		error = metrics_write_json(memory, metrics);
		if (fclose(memory) && !error)
			error = -errno;
	}
	if (!error)
		error = write_in_time(fd, text, bytes);
	free(text);
	if (fd >= 0 && close(fd) && !error)
		error = -errno;
	return error;
}

static bool is_replaced(const char *path)
{
	struct stat status;

	return strcmp(path, "-") != 0 && (stat(path, &status) || S_ISREG(status.st_mode));
}

static int open_stream(const char *path, int flags)
{
	int fd;

	if (strcmp(path, "-") != 0)
		return opener_open(path, flags, 0);
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int put(const char *path, const struct content *content)
{
	if (is_replaced(path))
		return replace(path, content);
	if (content->metrics)
		return write_metrics(open_stream(path, EXPORT_METRICS_FLAGS), content->metrics);
	return write_to(open_stream(path, EXPORT_FILE_FLAGS), content);
}

int export_file(const char *path, export_writer *writer, const struct profile *profile, uint32_t sources,
		const struct export_host *host)
{
	const struct content content = { .writer = writer, .profile = profile, .sources = sources, .host = host };

	return put(path, &content);
}

int export_metrics_file(const char *path, const struct metrics *metrics)
{
	const struct content content = { .metrics = metrics };

	return put(path, &content);
}

int export_copy(const char *path, int from)
{
	const struct content content = { .from = from };

	return put(path, &content);
}

const char *export_time_name(uint32_t sources)
{
	if (sources == KTALLY_SOURCE_ONCPU)
		return "CPU time";
	return sources == KTALLY_SOURCE_OFFCPU ? "waiting" : "wall time";
}
