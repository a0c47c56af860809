// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "capture/capture.h"
#include "capture/format.h"
#include "confine/opener.h"

/*
 * Records are gathered into chunks of about this size; a recorder flushes when it has drained, so that little is lost when it is
 * killed.
 */
#define GATHER_BYTES	(256U << 10)

/* Of zstd: whoever is profiled pays for it, and all levels are much alike on programs and names. */
#define COMPRESSION_LEVEL	1

/* How long a reader may take nothing of a pipe, where he is not waited for. */
#define PATIENCE_MS	1000

struct capture_writer {
	int fd;
	int error;		/* the first; nothing is written after it */
	int patience;		/* ms without progress; -1: for ever */
	struct buffer records;	/* gathered, not yet written */
};

/* A pipe that has room at all takes that much at once, also one that blocks, as standard output may have to. */
static ssize_t write_in_time(const struct capture_writer *writer, const struct iovec *piece)
{
	int ready = poll(&(struct pollfd){ .fd = writer->fd, .events = POLLOUT }, 1, writer->patience);

	if (!ready)
		errno = ETIMEDOUT;
	return ready > 0 ? write(writer->fd, piece->iov_base, piece->iov_len < PIPE_BUF ? piece->iov_len : PIPE_BUF) : -1;
}

/* Standard output may be a pipe that somebody set not to block. */
static int write_pieces(const struct capture_writer *writer, struct iovec *piece, int pieces)
{
	int fd = writer->fd;

	while (pieces) {
		ssize_t bytes = writer->patience < 0 ? writev(fd, piece, pieces) : write_in_time(writer, piece);

		if (bytes < 0 && errno == EAGAIN) {
			poll(&(struct pollfd) { .fd = fd, .events = POLLOUT }, 1, writer->patience);
			continue;
		}
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return -errno;
		for (; pieces && (size_t)bytes >= piece->iov_len; piece++, pieces--)
			bytes -= (ssize_t)piece->iov_len;
		if (pieces) {
			piece->iov_base = (char *)piece->iov_base + bytes;
			piece->iov_len -= (size_t)bytes;
		}
	}
	return 0;
}

static struct iovec piece_of(const void *data, size_t bytes)
{
	return (struct iovec) { .iov_base = (void *)(uintptr_t)data, .iov_len = bytes };
}

/* What a chunk holds may come in up to three pieces. */
static int write_chunk(struct capture_writer *writer, enum capture_chunk type, const struct iovec content[3],
		       size_t most)
{
	static const char zeros[8];
	size_t bytes = content[0].iov_len + content[1].iov_len + content[2].iov_len;
	struct capture_header header = { .type = type, .bytes = bytes };
	struct iovec pieces[] = {
		piece_of(&header, sizeof(header)), content[0], content[1], content[2], piece_of(zeros, -bytes % 8),
	};

	if (writer->error)
		return writer->error;
	if (bytes > most)
		return -EFBIG;
	writer->error = write_pieces(writer, pieces, sizeof(pieces) / sizeof(pieces[0]));
	return writer->error;
}

int capture_create(struct capture_writer **writer, const char *path)
{
	struct iovec magic = piece_of(CAPTURE_MAGIC, CAPTURE_MAGIC_BYTES);
	struct capture_writer new = { .patience = -1 };
	bool is_output = !strcmp(path, "-");
	int error;

	/* Addresses of the kernel are in it: for the recorder's eyes only, who may hand it on. */
	new.fd = is_output ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : opener_open(path, CAPTURE_FLAGS, 0600);
	if (new.fd < 0)
		return is_output ? -errno : new.fd;
	error = write_pieces(&new, &magic, 1);
	if (error) {
		close(new.fd);
		return error;
	}
	*writer = memory_zeroed(1, sizeof(**writer));
	**writer = new;
	return 0;
}

void capture_wait_for_nobody(struct capture_writer *writer)
{
	struct stat status;

	if (fstat(writer->fd, &status) || !S_ISREG(status.st_mode))
		writer->patience = PATIENCE_MS;
}

int capture_flush(struct capture_writer *writer)
{
	struct iovec content[3] = { piece_of(writer->records.data, writer->records.bytes) };

	if (writer->records.bytes)
		write_chunk(writer, CAPTURE_RECORDS, content, CAPTURE_RECORDS_MOST);
	buffer_clear(&writer->records);
	return writer->error;
}

/* The order of chunks is that of the calls, so what was gathered goes first. */
int capture_write(struct capture_writer *writer, enum capture_chunk type, const void *data, size_t bytes)
{
	struct iovec content[3] = { piece_of(data, bytes) };
	size_t most = type == CAPTURE_HOST ? CAPTURE_HOST_MOST : type == CAPTURE_ACCOUNT ? CAPTURE_ACCOUNT_MOST :
		      type == CAPTURE_RECORDS ? CAPTURE_RECORDS_MOST :
		      type == CAPTURE_KALLSYMS ? CAPTURE_KALLSYMS_MOST : CAPTURE_MAPPINGS_MOST;
	int error = capture_flush(writer);

	if (type == CAPTURE_RECORDS && bytes % 8)
		return -EINVAL;
	return error ? error : write_chunk(writer, type, content, most);
}

int capture_write_record(struct capture_writer *writer, const void *record, size_t bytes)
{
	if (writer->error)
		return writer->error;
	if (bytes % 8 || bytes > CAPTURE_RECORDS_MOST - GATHER_BYTES)
		return -EINVAL;
	buffer_append(&writer->records, record, bytes);
	return writer->records.bytes < GATHER_BYTES ? 0 : capture_flush(writer);
}

int capture_write_mappings(struct capture_writer *writer, uint64_t mm_id, uint32_t pid, const char *executable,
			   const char *text, size_t bytes)
{
	struct capture_mappings mappings = { .mm_id = mm_id, .pid = pid };
	struct iovec content[3];
	size_t length = executable ? strlen(executable) : 0;
	int error = capture_flush(writer);

	if (error)
		return error;
	if (length > CAPTURE_PATH_MOST)
		return -ENAMETOOLONG;
	mappings.executable_bytes = (uint32_t)length;
	content[0] = piece_of(&mappings, sizeof(mappings));
	content[1] = piece_of(executable, length);
	content[2] = piece_of(text, bytes);
	return write_chunk(writer, CAPTURE_MAPPINGS, content, CAPTURE_MAPPINGS_MOST);
}

int capture_pack(const void *data, size_t bytes, void **packed, size_t *packed_bytes)
{
	size_t room = ZSTD_compressBound(bytes);
	void *memory = memory_zeroed(1, room);

	room = ZSTD_compress(memory, room, data, bytes, COMPRESSION_LEVEL);
	if (ZSTD_isError(room)) {
		free(memory);
		return -ENOMEM;		/* the only way it can fail, the bound being as zstd asked */
	}
	*packed = memory;
	*packed_bytes = room;
	return 0;
}

int capture_write_file(struct capture_writer *writer, const struct capture_file *file, const char *path, const void *packed,
		       size_t packed_bytes)
{
	struct capture_file header = *file;
	struct iovec pieces[3];
	int error = capture_flush(writer);

	if (error)
		return error;
	if (strlen(path) > CAPTURE_PATH_MOST)
		return -ENAMETOOLONG;
	if (file->content_bytes > CAPTURE_CONTENT_MOST)
		return -EFBIG;
	header.path_bytes = (uint32_t)strlen(path);
	pieces[0] = piece_of(&header, sizeof(header));
	pieces[1] = piece_of(path, header.path_bytes);
	pieces[2] = piece_of(packed, packed_bytes);
	return write_chunk(writer, CAPTURE_FILE, pieces, CAPTURE_FILE_MOST);
}

int capture_write_owner(struct capture_writer *writer, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes)
{
	const struct capture_owner owner = { .mm_id = mm_id, .cgroup_id = cgroup_id };
	struct iovec content[3] = { piece_of(&owner, sizeof(owner)), piece_of(text, bytes) };
	int error = capture_flush(writer);

	return error ? error : write_chunk(writer, CAPTURE_OWNER, content, CAPTURE_OWNER_MOST);
}

int capture_write_kallsyms(struct capture_writer *writer, const char *text, size_t bytes)
{
	size_t packed_bytes;
	void *packed;
	int error;

	if (bytes > CAPTURE_NAMES_MOST)
		return -EFBIG;
	error = capture_pack(text, bytes, &packed, &packed_bytes);
	if (error)
		return error;
	error = capture_write(writer, CAPTURE_KALLSYMS, packed, packed_bytes);
	free(packed);
	return error;
}

/*
 * Some file systems tell only now that there was no room. A pipe or a terminal cannot be synchronized, and need not be.
 */
int capture_close(struct capture_writer *writer)
{
	int error = capture_flush(writer);

	if (!error && fsync(writer->fd) && errno != EINVAL && errno != EROFS)
		error = -errno;
	if (close(writer->fd) && !error)
		error = -errno;
	buffer_free(&writer->records);
	free(writer);
	return error;
}
