// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/message.h"
#include "daemon/files.h"

int files_make_directory(const char *path)
{
	struct stat status;

	if (!mkdir(path, 0700))
		return EXIT_OK;
	if (errno == EEXIST && !stat(path, &status)) {
		if (S_ISDIR(status.st_mode))
			return EXIT_OK;
		errno = ENOTDIR;
	}
	message_error("cannot make the directory %s: %s", path, strerror(errno));
	return EXIT_FAILED;
}

void files_add(struct files *files, const char *directory, const char *name, export_writer *writer, uint32_t sources)
{
	struct file *file = &files->files[files->count++];
	struct buffer path = { 0 };

	if (directory)
		buffer_format(&path, "%s/", directory);
	buffer_string(&path, name);
	file->path = path.data;
	file->writer = writer;
	file->sources = sources;
}

static const char *reason_of(int error)
{
	if (error == -ENXIO)
		return "nobody reads it";
	return error == -ETIMEDOUT ? "who reads it takes too long" : strerror(-error);
}

/* A pipe may wait for who reads it: what is written is all there is to know, each time. */
void files_write(struct files *files, const struct profile *profile, const struct export_host *host, const struct metrics *metrics)
{
	for (unsigned int i = 0; i < files->count; i++) {
		struct file *file = &files->files[i];
		int error = file->writer ? export_file(file->path, file->writer, profile, file->sources, host) :
					   export_metrics_file(file->path, metrics);

		if (error && !file->failing)
			message_error("cannot write %s: %s: counting goes on, and it is tried again", file->path, reason_of(error));
		else if (!error && file->failing)
			message_info("%s can be written again", file->path);
		file->failing = error;
		files->failed |= error && error != -ENXIO;
	}
}

void files_release(struct files *files)
{
	while (files->count)
		free(files->files[--files->count].path);
}
