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
#include "export/export.h"

static int write_all(int fd, export_writer *writer, const struct profile *profile, const struct export_host *host,
		     bool sync)
{
	FILE *file = fdopen(fd, "w");
	int error;

	if (!file) {
		error = -errno;
		close(fd);
		return error;
	}
	error = writer(file, profile, host);
	if (fflush(file) && !error)
		error = -errno;
	if (sync && !error && fsync(fd))
		error = -errno;
	if (fclose(file) && !error)
		error = -errno;
	return error;
}

static int replace(const char *path, export_writer *writer, const struct profile *profile,
		   const struct export_host *host)
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
	error = write_all(fd, writer, profile, host, true);
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	free(temporary);
	return error;
}

static int write_to(int fd, export_writer *writer, const struct profile *profile, const struct export_host *host)
{
	return fd < 0 ? -errno : write_all(fd, writer, profile, host, false);
}

int export_file(const char *path, export_writer *writer, const struct profile *profile, const struct export_host *host)
{
	struct stat status;

	if (!strcmp(path, "-"))
		return write_to(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0), writer, profile, host);
	if (stat(path, &status) || S_ISREG(status.st_mode))
		return replace(path, writer, profile, host);
	return write_to(open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), writer, profile, host);
}
