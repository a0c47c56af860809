// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/message.h"
#include "unwind/cache.h"

#define MAGIC		"ktallyUW"
#define VERSION		1	/* of what a table of a file is: to be raised whenever reading it changes */
#define SUFFIX		".unwind"
#define UNFINISHED	".unfinished"
#define UNFINISHED_AGE	600	/* seconds: by then its writer is dead */
#define NAME_BYTES	(2 * ELF_BUILD_ID_MOST + sizeof(SUFFIX))
#define PATH_BYTES	(NAME_BYTES + sizeof(UNFINISHED) + 16)
#define BUILD_ID_LEAST	8	/* shorter ones, made by hand, may well be equal */

struct header {
	char magic[8];
	uint32_t version, build_id_bytes;
	uint8_t build_id[ELF_BUILD_ID_MOST];
	uint64_t segments;		/* hash of where they are */
	uint32_t first_chunk, chunk_count, row_count, rule_count;
	struct unwind_statistics statistics;
	uint64_t checksum;		/* of all, with 0 here */
};

#define CACHE_DIRECTORY	"/var/cache/ktally"
#define TABLES		"unwind"

/* A directory below another that nobody but us may write, made if it is not there; -1. */
static int open_own(int parent, const char *path)
{
	struct stat status;
	int fd;

	mkdirat(parent, path, 0700);
	fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && (fstat(fd, &status) || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void unwind_cache_open(struct unwind_cache *cache, uint64_t most_bytes)
{
	const char *path = getenv("CACHE_DIRECTORY");
	int directory;

	*cache = (struct unwind_cache){ .directory = -1, .most_bytes = most_bytes };
	if (!path && !geteuid())
		path = CACHE_DIRECTORY;
	directory = path && path[0] == '/' ? open_own(AT_FDCWD, path) : -1;
	if (directory < 0)
		return;
	cache->directory = open_own(directory, TABLES);
	close(directory);
}

void unwind_cache_close(struct unwind_cache *cache)
{
	if (cache->directory >= 0)
		close(cache->directory);
	cache->directory = -1;
}

static bool is_cached(const struct elf *elf)
{
	struct stat status;

	return elf->build_id_bytes >= BUILD_ID_LEAST && !elf->source.memory && !fstat(elf->source.fd, &status) &&
	       (!status.st_uid || status.st_uid == geteuid()) && !(status.st_mode & (S_IWGRP | S_IWOTH));
}

/* Tools that rewrite files move code to other places, and leave the build id. */
static uint64_t hash_segments(const struct elf *elf, bool with_debug)
{
	uint64_t hash = with_debug;

	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		hash = hash_words(hash, segment->offset);
		hash = hash_words(hash, segment->address);
		hash = hash_words(hash, segment->file_bytes);
		hash = hash_words(hash, segment->executable);
	}
	return hash;
}

static uint64_t checksum(const struct header *header, const struct unwind_table *table)
{
	struct header copy = *header;
	uint64_t hash;

	copy.checksum = 0;
	hash = hash_bytes(&copy, sizeof(copy), 0);
	hash = hash_bytes(table->first_row, (table->chunk_count + 1UL) * sizeof(*table->first_row), hash);
	hash = hash_bytes(table->rows, table->row_count * sizeof(*table->rows), hash);
	return hash_bytes(table->rules, table->rule_count * sizeof(*table->rules), hash);
}

static void make_name(const struct elf *elf, char *name)
{
	for (size_t i = 0; i < elf->build_id_bytes; i++)
		name += sprintf(name, "%02x", elf->build_id[i]);
	strcpy(name, SUFFIX);
}

/* Three arrays, one after the other, behind the header. */
static void lay_out(const struct unwind_table *table, struct iovec *parts)
{
	parts[0] = (struct iovec){ table->first_row, (table->chunk_count + 1UL) * sizeof(*table->first_row) };
	parts[1] = (struct iovec){ table->rows, table->row_count * sizeof(*table->rows) };
	parts[2] = (struct iovec){ table->rules, table->rule_count * sizeof(*table->rules) };
}

static bool is_header(const struct header *header, const struct elf *elf, bool with_debug, uint64_t bytes)
{
	struct unwind_table table = { .chunk_count = header->chunk_count, .row_count = header->row_count,
				      .rule_count = header->rule_count };

	return !memcmp(header->magic, MAGIC, sizeof(header->magic)) && header->version == VERSION &&
	       header->build_id_bytes == elf->build_id_bytes &&
	       !memcmp(header->build_id, elf->build_id, elf->build_id_bytes) &&
	       header->segments == hash_segments(elf, with_debug) && header->chunk_count <= KTALLY_UNWIND_CHUNKS_MAX &&
	       header->rule_count <= KTALLY_UNWIND_RULES_MAX && bytes == sizeof(*header) + unwind_table_bytes(&table);
}

static bool read_all(int fd, void *into, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t got = read(fd, (char *)into + done, bytes - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

int unwind_cache_parse(int fd, const struct elf *elf, bool with_debug, struct unwind_table *table,
		       struct unwind_statistics *statistics)
{
	struct header header;
	struct iovec parts[3];
	struct stat status;

	*table = (struct unwind_table){ 0 };
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(header) ||
	    (uint64_t)status.st_size > sizeof(header) + 2ULL * KTALLY_UNWIND_BYTES_MAX ||
	    !read_all(fd, &header, sizeof(header)) || !is_header(&header, elf, with_debug, (uint64_t)status.st_size))
		return -EBADMSG;
	table->first_chunk = header.first_chunk;
	table->chunk_count = header.chunk_count;
	table->row_count = header.row_count;
	table->rule_count = header.rule_count;
	table->first_row = memory_zeroed(table->chunk_count + 1UL, sizeof(*table->first_row));
	table->rows = memory_zeroed(table->row_count, sizeof(*table->rows));
	table->rules = memory_zeroed(table->rule_count, sizeof(*table->rules));
	lay_out(table, parts);
	for (size_t i = 0; i < 3; i++)
		if (!read_all(fd, parts[i].iov_base, parts[i].iov_len)) {
			unwind_table_free(table);
			return -EBADMSG;
		}
	if (header.checksum != checksum(&header, table) || unwind_table_check(table)) {
		unwind_table_free(table);
		return -EBADMSG;
	}
	*statistics = header.statistics;
	return 0;
}

int unwind_cache_get(const struct unwind_cache *cache, const struct elf *elf, bool with_debug, struct unwind_table *table,
		     struct unwind_statistics *statistics)
{
	static const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	char name[NAME_BYTES];
	int fd, error;

	if (cache->directory < 0 || !is_cached(elf))
		return -ENOENT;
	make_name(elf, name);
	/* Not to be kept waiting by what somebody else put there. */
	fd = openat(cache->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	error = unwind_cache_parse(fd, elf, with_debug, table, statistics);
	if (!error)
		futimens(fd, now);
	else
		unlinkat(cache->directory, name, 0);
	close(fd);
	return error ? -ENOENT : 0;
}

static bool write_all(int fd, const void *from, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t wrote = write(fd, (const char *)from + done, bytes - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return false;
		done += (size_t)wrote;
	}
	return true;
}

static int write_file(const struct unwind_cache *cache, const char *name, const struct header *header,
		      const struct unwind_table *table)
{
	char unfinished[PATH_BYTES];
	struct iovec parts[3];
	bool written;
	int fd, error;

	snprintf(unfinished, sizeof(unfinished), "%s.%d" UNFINISHED, name, (int)getpid());
	fd = openat(cache->directory, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	lay_out(table, parts);
	written = write_all(fd, header, sizeof(*header));
	for (size_t i = 0; i < 3 && written; i++)
		written = write_all(fd, parts[i].iov_base, parts[i].iov_len);
	error = written ? 0 : -errno;
	if (close(fd) && !error)
		error = -errno;
	if (!error && renameat(cache->directory, unfinished, cache->directory, name))
		error = -errno;
	if (error)
		unlinkat(cache->directory, unfinished, 0);
	return error;
}

struct old {
	char name[NAME_BYTES];
	struct timespec used;
	uint64_t bytes;
};

static int by_use(const void *a, const void *b)
{
	const struct old *one = a, *other = b;

	if (one->used.tv_sec != other->used.tv_sec)
		return one->used.tv_sec < other->used.tv_sec ? -1 : 1;
	return one->used.tv_nsec < other->used.tv_nsec ? -1 : one->used.tv_nsec > other->used.tv_nsec;
}

static bool ends_with(const char *name, const char *end)
{
	size_t bytes = strlen(name), end_bytes = strlen(end);

	return bytes > end_bytes && bytes < NAME_BYTES && !strcmp(name + bytes - end_bytes, end);
}

/* Other files in the directory are nobody's business here. */
static struct old *list(const struct unwind_cache *cache, DIR *directory, size_t *count, uint64_t *bytes)
{
	struct old *files = NULL;
	struct dirent *entry;
	size_t room = 0;

	while ((entry = readdir(directory))) {
		bool unfinished = ends_with(entry->d_name, UNFINISHED);
		struct stat status;

		if ((!unfinished && !ends_with(entry->d_name, SUFFIX)) ||
		    fstatat(cache->directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode))
			continue;
		if (unfinished) {
			if (status.st_mtim.tv_sec + UNFINISHED_AGE < time(NULL))
				unlinkat(cache->directory, entry->d_name, 0);
			continue;
		}
		if (*count == room) {
			room = room ? room * 2 : 64;
			files = memory_resized(files, room, sizeof(*files));
		}
		strcpy(files[*count].name, entry->d_name);
		files[*count].used = status.st_mtim;
		files[*count].bytes = (uint64_t)status.st_size;
		*bytes += files[(*count)++].bytes;
	}
	return files;
}

static void make_room(const struct unwind_cache *cache)
{
	int fd = openat(cache->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	uint64_t bytes = 0;
	struct old *files;
	size_t count = 0;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return;
	}
	files = list(cache, directory, &count, &bytes);
	closedir(directory);
	if (bytes > cache->most_bytes) {
		qsort(files, count, sizeof(*files), by_use);
		for (size_t i = 0; i < count && bytes > cache->most_bytes; i++)
			if (!unlinkat(cache->directory, files[i].name, 0))
				bytes -= files[i].bytes;
	}
	free(files);
}

int unwind_cache_put(const struct unwind_cache *cache, const struct elf *elf, bool with_debug,
		     const struct unwind_table *table, const struct unwind_statistics *statistics)
{
	struct header header;
	char name[NAME_BYTES];
	int error;

	if (cache->directory < 0 || !is_cached(elf))
		return -ENOENT;
	if (sizeof(header) + unwind_table_bytes(table) > cache->most_bytes)
		return -EFBIG;
	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.version = VERSION;
	header.build_id_bytes = (uint32_t)elf->build_id_bytes;
	memcpy(header.build_id, elf->build_id, elf->build_id_bytes);
	header.segments = hash_segments(elf, with_debug);
	header.first_chunk = table->first_chunk;
	header.chunk_count = table->chunk_count;
	header.row_count = table->row_count;
	header.rule_count = table->rule_count;
	header.statistics = *statistics;
	header.checksum = checksum(&header, table);
	make_name(elf, name);
	error = write_file(cache, name, &header, table);
	if (!error)
		make_room(cache);
	return error;
}

int unwind_cache_read(const struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, size_t most_bytes,
		      struct unwind_table *table, struct unwind_statistics *statistics)
{
	int error;

	if (!unwind_cache_get(cache, elf, debug, table, statistics)) {
		if (unwind_table_bytes(table) <= most_bytes)
			return 0;
		unwind_table_free(table);
		return -EFBIG;
	}
	error = unwind_read(table, elf, debug, most_bytes, statistics);
	if (!error)
		unwind_cache_put(cache, elf, debug, table, statistics);	/* if not, it is read again next time */
	return error;
}
