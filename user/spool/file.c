// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include "spool/file.h"

#define VERSION 1

struct head {
	char magic[8];
	uint32_t version, compression;
	uint64_t number, points, bytes;
	uint32_t data_checksum, head_checksum;
};

_Static_assert(sizeof(struct head) == SPOOL_HEAD_BYTES, "the head has no holes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are stored as they are");

static const char magic[8] = "ktspool";

static uint32_t checksum(const void *data, size_t bytes)
{
	return (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, bytes);
}

static uint32_t head_checksum(const struct head *head)
{
	return checksum(head, offsetof(struct head, head_checksum));
}

/* ---- names ---- */

void spool_file_name(char name[SPOOL_NAME_BYTES], uint64_t number, const char *suffix)
{
	snprintf(name, SPOOL_NAME_BYTES, "%016" PRIx64 ".%s", number, suffix);
}

int spool_file_parse_name(const char *name, const char *suffix, uint64_t *number)
{
	char expected[SPOOL_NAME_BYTES];

	if (strspn(name, "0123456789abcdef") != 16 || sscanf(name, "%16" SCNx64, number) != 1 || *number > SPOOL_NUMBER_MOST)
		return -EINVAL;
	spool_file_name(expected, *number, suffix);
	return strcmp(name, expected) ? -EINVAL : 0;
}

/* ---- reading ---- */

static int decode_head(const struct head *head, size_t file_bytes, struct spool_label *label)
{
	if (memcmp(head->magic, magic, sizeof(magic)) || head->head_checksum != head_checksum(head) || head->version != VERSION)
		return -EBADMSG;
	if (head->bytes > SPOOL_DATA_MOST || file_bytes != sizeof(*head) + head->bytes || head->number > SPOOL_NUMBER_MOST)
		return -EBADMSG;
	*label = (struct spool_label){
		.number = head->number, .points = head->points, .bytes = head->bytes, .compression = head->compression,
	};
	return 0;
}

int spool_file_decode(const void *contents, size_t bytes, struct spool_label *label, const void **data)
{
	struct head head;
	int error;

	if (bytes < sizeof(head))
		return -EBADMSG;
	memcpy(&head, contents, sizeof(head));
	error = decode_head(&head, bytes, label);
	if (error)
		return error;
	*data = (const char *)contents + sizeof(head);
	return checksum(*data, head.bytes) == head.data_checksum ? 0 : -EBADMSG;
}

static int open_file(int directory, const char *name, struct stat *status)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (!fstat(fd, status) && S_ISREG(status->st_mode))
		return fd;
	close(fd);
	return -EBADMSG;
}

int spool_file_read_label(int directory, const char *name, struct spool_label *label)
{
	struct stat status;
	struct head head;
	ssize_t bytes;
	int fd = open_file(directory, name, &status), error;

	if (fd < 0)
		return fd;
	bytes = pread(fd, &head, sizeof(head), 0);
	if (bytes < 0)
		error = -errno;
	else
		error = bytes == sizeof(head) ? decode_head(&head, (size_t)status.st_size, label) : -EBADMSG;
	close(fd);
	return error;
}

int spool_file_read(int directory, const char *name, struct spool_label *label, struct buffer *data)
{
	struct buffer contents = { 0 };
	const void *found;
	struct stat status;
	int fd = open_file(directory, name, &status), error;

	if (fd < 0)
		return fd;
	error = buffer_read_fd(&contents, fd, SPOOL_HEAD_BYTES + SPOOL_DATA_MOST);
	close(fd);
	if (!error)
		error = spool_file_decode(contents.data, contents.bytes, label, &found);
	if (!error)
		buffer_append(data, found, label->bytes);
	buffer_free(&contents);
	return error == -EFBIG ? -EBADMSG : error;
}

/* ---- writing ---- */

/* Both parts in as few calls as the kernel lets us. */
static int write_all(int fd, struct iovec *parts, int count)
{
	while (count) {
		ssize_t written = writev(fd, parts, count);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		while (count && (size_t)written >= parts->iov_len) {
			written -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count) {
			parts->iov_base = (char *)parts->iov_base + written;
			parts->iov_len -= (size_t)written;
		}
	}
	return 0;
}

static int write_part(int directory, const char *name, struct head *head, const void *data)
{
	struct iovec parts[] = { { head, sizeof(*head) }, { (void *)data, head->bytes } };
	int fd, error;

	/* What a crash left there is not opened again: confined, the daemon writes only to files that are its own from their first moment. */
	unlinkat(directory, name, 0);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	error = write_all(fd, parts, 2);
	if (!error && fdatasync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	return error;
}

int spool_file_write(int directory, const struct spool_label *label, const void *data)
{
	struct head head = {
		.version = VERSION, .compression = label->compression, .number = label->number, .points = label->points,
		.bytes = label->bytes, .data_checksum = checksum(data, label->bytes),
	};
	char part[SPOOL_NAME_BYTES], name[SPOOL_NAME_BYTES];
	int error;

	memcpy(head.magic, magic, sizeof(magic));
	head.head_checksum = head_checksum(&head);
	spool_file_name(part, label->number, "part");
	spool_file_name(name, label->number, "batch");
	error = write_part(directory, part, &head, data);
	if (!error && renameat(directory, part, directory, name))
		error = -errno;
	if (!error && fsync(directory)) {
		/* Whether it would be there after a power failure is unknown: it is not to be there twice either. */
		error = -errno;
		unlinkat(directory, name, 0);
	}
	if (error)
		unlinkat(directory, part, 0);
	return error;
}
