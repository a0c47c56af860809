// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "confine/opener.h"
#include "daemon/lines.h"

struct lines {
	char *path;
	uint64_t most_bytes;
	unsigned int files;
	int fd;			/* -1: it could not be opened */
	uint64_t bytes;		/* of the file */
	uint64_t lost, lost_before;	/* in all, and when it began to fail */
	bool failing;
};

/* A line that a writer before could not end, because power failed, must not become part of another. */
static int cut_half_line(int fd, uint64_t *bytes)
{
	char text[4096];

	while (*bytes) {
		size_t part = *bytes < sizeof(text) ? *bytes : sizeof(text);
		ssize_t got = pread(fd, text, part, (off_t)(*bytes - part));
		char *end;

		if (got != (ssize_t)part)
			return got < 0 ? -errno : -EIO;
		end = memrchr(text, '\n', part);
		if (end) {
			*bytes -= part - (size_t)(end + 1 - text);
			break;
		}
		*bytes -= part;
	}
	return ftruncate(fd, (off_t)*bytes) ? -errno : 0;
}

static int open_file(struct lines *lines)
{
	struct stat status;
	int error = 0;

	lines->fd = opener_open(lines->path, LINES_FLAGS, 0600);
	if (lines->fd < 0)
		return lines->fd;
	if (fstat(lines->fd, &status))
		error = -errno;
	else if (!S_ISREG(status.st_mode))
		error = -EINVAL;
	lines->bytes = error ? 0 : (uint64_t)status.st_size;
	if (!error)
		error = cut_half_line(lines->fd, &lines->bytes);
	if (!error)
		return 0;
	close(lines->fd);
	lines->fd = -1;
	return error;
}

static void close_file(struct lines *lines)
{
	if (lines->fd >= 0)
		close(lines->fd);
	lines->fd = -1;
}

static bool is_in_place(const struct lines *lines)
{
	struct stat ours, there;

	return lines->fd >= 0 && !fstat(lines->fd, &ours) && !stat(lines->path, &there) && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

static char *numbered(const struct lines *lines, unsigned int number)
{
	struct buffer path = { 0 };

	buffer_string(&path, lines->path);
	if (number)
		buffer_format(&path, ".%u", number);
	return path.data;
}

/* The oldest is overwritten by the one before it. */
static int rotate(struct lines *lines)
{
	int error = 0;

	close_file(lines);
	if (lines->files == 1 && unlink(lines->path))
		error = -errno;
	for (unsigned int number = lines->files - 1; number && !error; number--) {
		char *from = numbered(lines, number - 1), *to = numbered(lines, number);

		if (rename(from, to) && errno != ENOENT)
			error = -errno;
		free(from);
		free(to);
	}
	return error ? error : open_file(lines);
}

static int write_all(struct lines *lines, const struct buffer *text)
{
	size_t done = 0;

	while (done < text->bytes) {
		ssize_t bytes = write(lines->fd, text->data + done, text->bytes - done);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes <= 0) {
			int error = bytes ? -errno : -ENOSPC;

			/* Half of the lines would be there twice, were they written again, and half a line be none. */
			if (done && ftruncate(lines->fd, (off_t)lines->bytes))
				close_file(lines);
			return error;
		}
		done += (size_t)bytes;
	}
	lines->bytes += done;
	return 0;
}

void lines_write(struct lines *lines, const struct buffer *text)
{
	int error = 0;

	if (!text->bytes)
		return;
	if (!is_in_place(lines)) {
		close_file(lines);
		error = open_file(lines);
	}
	if (!error && lines->bytes && lines->bytes + text->bytes > lines->most_bytes)
		error = rotate(lines);
	if (!error)
		error = write_all(lines, text);
	if (error && !lines->failing) {
		message_error("cannot write %s: %s: counting goes on, and it is tried again", lines->path, strerror(-error));
		lines->lost_before = lines->lost;
	} else if (!error && lines->failing) {
		message_info("%s can be written again; %" PRIu64 " bytes of lines are missing in it", lines->path, lines->lost - lines->lost_before);
	}
	lines->failing = error;
	lines->lost += error ? text->bytes : 0;
}

uint64_t lines_lost(const struct lines *lines)
{
	return lines->lost;
}

int lines_create(struct lines **result, const char *path, uint64_t most_bytes, unsigned int files)
{
	struct lines *lines = memory_zeroed(1, sizeof(*lines));
	int error;

	lines->path = memory_string(path);
	lines->most_bytes = most_bytes;
	lines->files = files;
	error = open_file(lines);
	if (!error) {
		*result = lines;
		return EXIT_OK;
	}
	message_error("cannot write lines to %s: %s", path, error == -EINVAL ? "it is no file" : strerror(-error));
	lines_destroy(lines);
	return EXIT_FAILED;
}

void lines_destroy(struct lines *lines)
{
	if (!lines)
		return;
	close_file(lines);
	free(lines->path);
	free(lines);
}
