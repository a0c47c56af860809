// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file appears under its name when all of it is on disk, or not at all. Only its owner can read it, as with what perf
 * records: a profile of a host tells what everybody on it runs. A pipe or a device is written to as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "confine/opener.h"
#include "export/export.h"
#include "export/metrics.h"

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
	error = write_all(fd, content, true);
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

static int put(const char *path, const struct content *content)
{
	struct stat status;

	if (!strcmp(path, "-")) {
		int output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);

		return write_to(output < 0 ? -errno : output, content);
	}
	if (stat(path, &status) || S_ISREG(status.st_mode))
		return replace(path, content);
	return write_to(opener_open(path, EXPORT_FILE_FLAGS, 0), content);
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
