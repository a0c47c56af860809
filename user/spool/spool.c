// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "spool/spool.h"

/* What runs may come to. */
#define NUMBER_REACHED (SPOOL_NUMBER_MOST / 2)

struct spool {
	int directory, lock;
	bool unsettled;			/* something was removed since the directory was brought to the disk */
};

/* ---- opening ---- */

static int settle_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

/* A directory that is made anew is there for good only when the one above it is on the disk. */
static int make_directory(const char *path, const char *above)
{
	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	return settle_directory(above);
}

static int make_directories(const char *path)
{
	char *copy = memory_string(path), *above = dirname(copy), *copy_above = memory_string(above);
	int error = make_directory(above, dirname(copy_above));

	if (!error)
		error = make_directory(path, above);
	free(copy_above);
	free(copy);
	return error;
}

/*
 * The lock is a file's, as some file systems cannot lock directories. It goes with the process, however that ends, and is of this kind
 * because that is not a forked child's too, which may live for longer.
 */
static int lock(struct spool *spool)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	spool->lock = openat(spool->directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (spool->lock < 0)
		return -errno;
	if (!fcntl(spool->lock, F_SETLK, &whole))
		return 0;
	return errno == EACCES ? -EWOULDBLOCK : -errno;
}

/* Who can write to it can have anything sent. */
static int check_owner(const struct spool *spool)
{
	struct stat status;

	if (fstat(spool->directory, &status))
		return -errno;
	if (status.st_mode & (S_IWGRP | S_IWOTH) || (status.st_uid && status.st_uid != geteuid()))
		return -EPERM;
	return 0;
}

static void add(struct spool_contents *contents, const struct spool_label *label)
{
	if (!(contents->count & (contents->count - 1)))
		contents->labels = memory_resized(contents->labels, contents->count ? 2 * contents->count : 1, sizeof(*label));
	contents->labels[contents->count++] = *label;
}

/* Something is wrong with it for good, or it never was whole. */
static void throw_away(struct spool *spool, const char *name)
{
	if (!unlinkat(spool->directory, name, 0))
		spool->unsettled = true;
}

static int take_batch(struct spool *spool, struct spool_contents *contents, const char *name, uint64_t number)
{
	struct spool_label label;
	int error = spool_file_read_label(spool->directory, name, &label);

	if (!error && label.number != number)
		error = -EBADMSG;
	if (error == -EBADMSG || error == -EIO) {
		contents->damaged++;
		throw_away(spool, name);
		return 0;
	}
	if (!error)
		add(contents, &label);
	return error;
}

/* Nobody was told that it is there: if it is not whole, it does not count as damaged. */
static int take_part(struct spool *spool, struct spool_contents *contents, const char *name, uint64_t number)
{
	char whole[SPOOL_NAME_BYTES];
	struct spool_label label;
	struct buffer data = { 0 };
	int error = spool_file_read(spool->directory, name, &label, &data);

	buffer_free(&data);
	if (error && error != -EBADMSG && error != -EIO)
		return error;
	spool_file_name(whole, number, "batch");
	/* If it has its name already, that one is in the listing too. */
	if (error || label.number != number || !faccessat(spool->directory, whole, F_OK, AT_SYMLINK_NOFOLLOW)) {
		throw_away(spool, name);
		return 0;
	}
	if (renameat(spool->directory, name, spool->directory, whole))
		return -errno;
	add(contents, &label);
	return fsync(spool->directory) ? -errno : 0;
}

static int take_file(struct spool *spool, struct spool_contents *contents, const char *name)
{
	uint64_t number = 0;
	bool is_batch = !spool_file_parse_name(name, "batch", &number);
	int error;

	if (!is_batch && spool_file_parse_name(name, "part", &number))
		return 0;
	/* No run comes as far, and the next one's batches would have numbers that are none. */
	if (number > NUMBER_REACHED) {
		contents->damaged += is_batch;
		throw_away(spool, name);
		return 0;
	}
	error = is_batch ? take_batch(spool, contents, name, number) : take_part(spool, contents, name, number);
	if (number >= contents->next)
		contents->next = number + 1;
	return error;
}

/* All names first, as files are renamed meanwhile; in their order, which is that of the numbers, with a .batch before its .part. */
static int list(struct spool *spool, struct spool_contents *contents)
{
	struct dirent **names;
	int count = scandirat(spool->directory, ".", &names, NULL, alphasort), error = 0;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (!error)
			error = take_file(spool, contents, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return error;
}

int spool_open(struct spool **result, const char *path, struct spool_contents *contents)
{
	struct spool *spool = memory_zeroed(1, sizeof(*spool));
	int error = make_directories(path);

	*contents = (struct spool_contents){ .next = 1 };
	spool->lock = -1;
	/* Whoever owns the directory above could have put a link there, to any directory of the daemon's user. */
	spool->directory = error ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!error && spool->directory < 0)
		error = -errno;
	if (!error)
		error = check_owner(spool);
	if (!error)
		error = lock(spool);
	if (!error)
		error = list(spool, contents);
	if (error) {
		spool_free_contents(contents);
		spool_close(spool);
		return error;
	}
	*result = spool;
	return 0;
}

void spool_free_contents(struct spool_contents *contents)
{
	free(contents->labels);
	contents->labels = NULL;
	contents->count = 0;
}

void spool_close(struct spool *spool)
{
	if (!spool)
		return;
	if (spool->lock >= 0)
		close(spool->lock);
	if (spool->directory >= 0)
		close(spool->directory);
	free(spool);
}

/* ---- batches ---- */

int spool_put(struct spool *spool, const struct spool_label *label, const void *data)
{
	int error = spool_file_write(spool->directory, label, data);

	if (!error)
		spool->unsettled = false;
	return error;
}

int spool_get(struct spool *spool, const struct spool_label *label, struct buffer *data)
{
	struct spool_label found;
	char name[SPOOL_NAME_BYTES];
	size_t before = data->bytes;
	int error;

	spool_file_name(name, label->number, "batch");
	error = spool_file_read(spool->directory, name, &found, data);
	if (!error && (found.number != label->number || found.bytes != label->bytes || found.compression != label->compression)) {
		data->bytes = before;
		error = -EBADMSG;
	}
	return error;
}

int spool_remove(struct spool *spool, uint64_t number)
{
	char name[SPOOL_NAME_BYTES];

	spool_file_name(name, number, "batch");
	if (unlinkat(spool->directory, name, 0))
		return errno == ENOENT ? 0 : -errno;
	spool->unsettled = true;
	return 0;
}

int spool_settle(struct spool *spool)
{
	if (spool->unsettled && fsync(spool->directory))
		return -errno;
	spool->unsettled = false;
	return 0;
}
