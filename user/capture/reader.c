// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory follows what is really in the file, never what a length in it claims: contents are read in steps that grow
 * with what arrived, up to the bounds of format.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <linux/ktally.h>

#include "base/buffer.h"
#include "base/message.h"
#include "capture/capture.h"
#include "capture/format.h"

#define STEP_BYTES	(256U << 10)

struct capture_reader {
	int fd;
	int end;			/* what capture_next() returns once there is nothing more, 1: not there yet */
	struct buffer content;		/* of the chunk at hand */
	struct buffer unpacked;
	struct buffer path;
	char step[STEP_BYTES];
};

/* As many bytes as there are, `bytes` at most; -errno. */
static ssize_t read_fully(int fd, void *room, size_t bytes)
{
	size_t got = 0;

	while (got < bytes) {
		ssize_t more = read(fd, (char *)room + got, bytes - got);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -errno;
		if (!more)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

/* Appends up to `bytes` of the file to content, or skips them if that is NULL. How many there were; -errno. */
static int64_t read_content(struct capture_reader *reader, struct buffer *content, uint64_t bytes)
{
	uint64_t got = 0;

	while (got < bytes) {
		size_t wanted = bytes - got < STEP_BYTES ? bytes - got : STEP_BYTES;
		ssize_t more = read_fully(reader->fd, reader->step, wanted);

		if (more < 0)
			return more;
		if (content)
			buffer_append(content, reader->step, (size_t)more);
		got += (size_t)more;
		if ((size_t)more < wanted)
			break;
	}
	return (int64_t)got;
}

static int check_magic(int fd)
{
	char magic[CAPTURE_MAGIC_BYTES];
	ssize_t bytes = read_fully(fd, magic, sizeof(magic));

	if (bytes < 0)
		return (int)bytes;
	return bytes == sizeof(magic) && !memcmp(magic, CAPTURE_MAGIC, sizeof(magic)) ? 0 : -EBADMSG;
}

int capture_open(struct capture_reader **reader, const char *path)
{
	int fd, error;

	if (!strcmp(path, "-"))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	error = check_magic(fd);
	if (error) {
		close(fd);
		return error;
	}
	*reader = memory_zeroed(1, sizeof(**reader));
	(*reader)->fd = fd;
	(*reader)->end = 1;
	return 0;
}

/*
 * A few kilobytes can stand for gigabytes of zeros: output is bounded, and grows only as it comes. What is packed is the
 * content from `offset` on.
 */
static int unpack(struct capture_reader *reader, size_t offset, size_t most)
{
	ZSTD_inBuffer from = { .src = reader->content.data + offset, .size = reader->content.bytes - offset };
	struct buffer *out = &reader->unpacked;
	ZSTD_DStream *stream = ZSTD_createDStream();
	size_t left = 1, got = STEP_BYTES;

	if (!stream)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, CAPTURE_WINDOW_BITS);
	buffer_clear(out);
	while (left && !ZSTD_isError(left) && (from.pos < from.size || got == STEP_BYTES) && out->bytes <= most) {
		ZSTD_outBuffer step = { .dst = reader->step, .size = STEP_BYTES };

		left = ZSTD_decompressStream(stream, &step, &from);
		got = step.pos;
		buffer_append(out, reader->step, got);
	}
	ZSTD_freeDStream(stream);
	return !left && from.pos == from.size && out->bytes <= most ? 0 : -EBADMSG;
}

/* The content begins with a header that says how long the path behind it is. */
static int take_path(struct capture_reader *reader, size_t header_bytes, uint32_t path_bytes, struct capture_item *item)
{
	if (path_bytes > CAPTURE_PATH_MOST || path_bytes > reader->content.bytes - header_bytes)
		return -EBADMSG;
	buffer_clear(&reader->path);
	buffer_append(&reader->path, reader->content.data + header_bytes, path_bytes);
	item->path = reader->path.data;
	item->data = reader->content.data + header_bytes + path_bytes;
	item->bytes = reader->content.bytes - header_bytes - path_bytes;
	return 1;
}

static int open_mappings(struct capture_reader *reader, struct capture_item *item)
{
	struct capture_mappings mappings;

	if (reader->content.bytes < sizeof(mappings))
		return -EBADMSG;
	memcpy(&mappings, reader->content.data, sizeof(mappings));
	item->mm_id = mappings.mm_id;
	item->pid = mappings.pid;
	return take_path(reader, sizeof(mappings), mappings.executable_bytes, item);
}

static int open_owner(struct capture_reader *reader, struct capture_item *item)
{
	struct capture_owner owner;

	if (reader->content.bytes < sizeof(owner))
		return -EBADMSG;
	memcpy(&owner, reader->content.data, sizeof(owner));
	item->data = reader->content.data + sizeof(owner);
	item->bytes = reader->content.bytes - sizeof(owner);
	item->mm_id = owner.mm_id;
	item->cgroup_id = owner.cgroup_id;
	return 1;
}

static int unpack_item(struct capture_reader *reader, size_t offset, size_t most, struct capture_item *item)
{
	int error = unpack(reader, offset, most);

	if (error)
		return error;
	item->data = reader->unpacked.data;
	item->bytes = reader->unpacked.bytes;
	return 1;
}

static int open_file(struct capture_reader *reader, struct capture_item *item)
{
	struct capture_file *file = &item->file;
	int status;

	if (reader->content.bytes < sizeof(*file))
		return -EBADMSG;
	memcpy(file, reader->content.data, sizeof(*file));
	if (!file->identity.file || file->build_id_bytes > sizeof(file->build_id))
		return -EBADMSG;
	status = take_path(reader, sizeof(*file), file->path_bytes, item);
	if (status < 0 || (!item->bytes && !file->content_bytes))
		return status;
	status = unpack_item(reader, reader->content.bytes - item->bytes, CAPTURE_CONTENT_MOST, item);
	return status == 1 && item->bytes != file->content_bytes ? -EBADMSG : status;
}

/* Fills in the item from content, all of which is there. 1 or -errno. */
static int open_chunk(struct capture_reader *reader, struct capture_item *item)
{
	item->data = reader->content.data;
	item->bytes = reader->content.bytes;
	switch (item->type) {
	case CAPTURE_HOST:
	case CAPTURE_ACCOUNT:
		return 1;
	case CAPTURE_RECORDS:
		return item->bytes % 8 ? -EBADMSG : 1;
	case CAPTURE_KALLSYMS:
		return unpack_item(reader, 0, CAPTURE_NAMES_MOST, item);
	case CAPTURE_MAPPINGS:
		return open_mappings(reader, item);
	case CAPTURE_FILE:
		return open_file(reader, item);
	case CAPTURE_OWNER:
		return open_owner(reader, item);
	}
	return -EBADMSG;
}

/* The file ends within this chunk: its whole records are still worth reading. 1, or -ENODATA if there are none. */
static int open_cut_records(struct capture_reader *reader, struct capture_item *item)
{
	struct ktally_record record;
	size_t bytes = 0;

	while (reader->content.bytes - bytes >= sizeof(record)) {
		memcpy(&record, reader->content.data + bytes, sizeof(record));
		if (record.size < sizeof(record) || record.size > reader->content.bytes - bytes)
			break;
		bytes += record.size;
	}
	reader->end = -ENODATA;
	item->data = reader->content.data;
	item->bytes = bytes;
	return bytes ? 1 : -ENODATA;
}

/* 0: a type that is not known. */
static uint64_t most_bytes(uint32_t type)
{
	switch (type) {
	case CAPTURE_HOST:
		return CAPTURE_HOST_MOST;
	case CAPTURE_RECORDS:
		return CAPTURE_RECORDS_MOST;
	case CAPTURE_KALLSYMS:
		return CAPTURE_KALLSYMS_MOST;
	case CAPTURE_MAPPINGS:
		return CAPTURE_MAPPINGS_MOST;
	case CAPTURE_FILE:
		return CAPTURE_FILE_MOST;
	case CAPTURE_OWNER:
		return CAPTURE_OWNER_MOST;
	case CAPTURE_ACCOUNT:
		return CAPTURE_ACCOUNT_MOST;
	}
	return 0;
}

/* 1: a header; 0: the file ends here, as it should; -errno. */
static int read_header(int fd, struct capture_header *header)
{
	ssize_t bytes = read_fully(fd, header, sizeof(*header));

	if (bytes <= 0)
		return (int)bytes;
	if (bytes < (ssize_t)sizeof(*header))
		return -ENODATA;
	return header->zero || header->bytes > INT64_MAX - 8 ? -EBADMSG : 1;
}

/* 1: read; 0: nobody knows this type; -ENODATA: the file ends before the chunk does; -errno */
static int read_chunk(struct capture_reader *reader, const struct capture_header *header)
{
	static const char none[8];
	uint64_t most = most_bytes(header->type), padding = -header->bytes % 8;
	bool is_known = most;
	int64_t got;
	char zeros[8] = { 0 };

	if (is_known && header->bytes > most)
		return -EBADMSG;
	buffer_clear(&reader->content);
	buffer_append(&reader->content, NULL, 0);
	got = read_content(reader, is_known ? &reader->content : NULL, header->bytes);
	if (got < 0)
		return (int)got;
	if ((uint64_t)got < header->bytes)
		return -ENODATA;
	got = read_fully(reader->fd, zeros, padding);
	if (got < 0)
		return (int)got;
	if (memcmp(zeros, none, sizeof(zeros)))
		return -EBADMSG;
	if ((uint64_t)got < padding)
		reader->end = -ENODATA;		/* all of the content is there */
	return is_known;
}

int capture_next(struct capture_reader *reader, struct capture_item *item)
{
	struct capture_header header;
	int status;

	while (reader->end == 1) {
		*item = (struct capture_item) { 0 };
		status = read_header(reader->fd, &header);
		if (status != 1) {
			reader->end = status;
			break;
		}
		item->type = header.type;
		status = read_chunk(reader, &header);
		if (status == 1)
			status = open_chunk(reader, item);
		else if (status == -ENODATA && header.type == CAPTURE_RECORDS)
			status = open_cut_records(reader, item);
		if (status < 0)
			reader->end = status;
		if (status == 1)
			return 1;
	}
	*item = (struct capture_item) { 0 };
	return reader->end;
}

void capture_reader_close(struct capture_reader *reader)
{
	close(reader->fd);
	buffer_free(&reader->content);
	buffer_free(&reader->unpacked);
	buffer_free(&reader->path);
	free(reader);
}
