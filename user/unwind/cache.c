// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/message.h"
#include "symbols/reads.h"
#include "unwind/cache.h"

#define MAGIC		"ktallyUW"
#define VERSION		2	/* of what a table of a file is: to be raised whenever reading it changes */
#define SUFFIX		".unwind"
#define ELSEWHERE	".elsewhere" SUFFIX
#define UNFINISHED	".unfinished"
#define UNFINISHED_AGE	600	/* seconds: by then its writer is dead */
#define NAME_BYTES	(2 * DIGEST_BYTES + sizeof(ELSEWHERE))
#define PATH_BYTES	(NAME_BYTES + sizeof(UNFINISHED) + 20)

/* A file of the cache: this, and one after the other the arrays of an entry. */
struct header {
	char magic[8];
	uint32_t version, with_debug;
	uint8_t digests[2][DIGEST_BYTES];	/* of what was read of the file, and of its debug file */
	uint32_t extents[2];			/* in which this was: so many, each offset and bytes */
	uint32_t first_chunk, chunk_count, row_count, rule_count;
	struct unwind_statistics statistics;
	uint64_t checksum;		/* of all, with 0 here */
};

struct entry {
	struct header header;
	struct reads_extent *extents[2];
	struct unwind_table table;
};

#define PARTS	5

/* Seconds after which the directory is read again, as other processes put tables there, too, and leave unfinished ones. */
#define LISTED_AGE	600

#define CACHE_DIRECTORY	"/var/cache/ktally"
#define TABLES		"unwind"

/* A directory below another that nobody but us may write, made if it is not there; -1. */
static int open_own(int parent, const char *path)
{
	struct stat status;
	int fd;

	if (faccessat(parent, path, F_OK, AT_SYMLINK_NOFOLLOW))
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

/* Not a matter of trust, but of who may fill the disk: users write what they like into their own files, as often as they like. */
static bool is_cached(const struct elf *elf, const struct elf *debug)
{
	struct stat status;

	return !elf->source.memory && !(debug && debug->source.memory) && !fstat(elf->source.fd, &status) && (!status.st_uid || status.st_uid == geteuid());
}

static void lay_out(struct entry *entry, struct iovec *parts)
{
	const struct unwind_table *table = &entry->table;

	for (size_t i = 0; i < 2; i++)
		parts[i] = (struct iovec){ entry->extents[i], entry->header.extents[i] * sizeof(*entry->extents[i]) };
	parts[2] = (struct iovec){ table->first_row, (table->chunk_count + 1UL) * sizeof(*table->first_row) };
	parts[3] = (struct iovec){ table->rows, table->row_count * sizeof(*table->rows) };
	parts[4] = (struct iovec){ table->rules, table->rule_count * sizeof(*table->rules) };
}

static uint64_t entry_bytes(const struct header *header)
{
	const struct unwind_table table = { .chunk_count = header->chunk_count, .row_count = header->row_count,
					    .rule_count = header->rule_count };

	return sizeof(*header) + ((uint64_t)header->extents[0] + header->extents[1]) * sizeof(struct reads_extent) +
	       unwind_table_bytes(&table);
}

static uint64_t checksum(struct entry *entry)
{
	struct header copy = entry->header;
	struct iovec parts[PARTS];
	uint64_t hash;

	copy.checksum = 0;
	hash = hash_bytes(&copy, sizeof(copy), 0);
	lay_out(entry, parts);
	for (size_t i = 0; i < PARTS; i++)
		hash = hash_bytes(parts[i].iov_base, parts[i].iov_len, hash);
	return hash;
}

/* Files that differ in their headers only do not take each other's place. */
static void make_name(const struct elf *elf, const struct elf *debug, enum unwind_cache_half half, char *name)
{
	uint8_t parts[2][DIGEST_BYTES] = { { 0 } }, result[DIGEST_BYTES];
	struct digest digest;

	reads_repeat(elf, NULL, 0, parts[0]);
	if (debug)
		reads_repeat(debug, NULL, 0, parts[1]);
	digest_begin(&digest);
	digest_add(&digest, parts, sizeof(parts));
	digest_finish(&digest, result);
	for (size_t i = 0; i < sizeof(result); i++)
		name += sprintf(name, "%02x", result[i]);
	strcpy(name, half == UNWIND_CACHE_ELSEWHERE ? ELSEWHERE : SUFFIX);
}

static bool is_header(const struct header *header, uint64_t bytes)
{
	return !memcmp(header->magic, MAGIC, sizeof(header->magic)) && header->version == VERSION &&
	       header->extents[0] <= READS_MOST && header->extents[1] <= READS_MOST &&
	       header->chunk_count <= KTALLY_UNWIND_CHUNKS_MAX && header->rule_count <= KTALLY_UNWIND_RULES_MAX &&
	       bytes == entry_bytes(header);
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

/* Ours, and nobody else's to write; of a size that is one. */
static bool is_ours(int fd, uint64_t *bytes)
{
	struct stat status;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) ||
	    status.st_size < (off_t)sizeof(struct header))
		return false;
	*bytes = (uint64_t)status.st_size;
	return *bytes <= sizeof(struct header) + 2ULL * READS_MOST * sizeof(struct reads_extent) + 2ULL * KTALLY_UNWIND_BYTES_MAX;
}

static bool read_entry(int fd, struct entry *entry)
{
	struct unwind_table *table = &entry->table;
	const struct header *header = &entry->header;
	struct iovec parts[PARTS];
	uint64_t bytes;

	if (!is_ours(fd, &bytes) || !read_all(fd, &entry->header, sizeof(entry->header)) || !is_header(header, bytes))
		return false;
	for (size_t i = 0; i < 2; i++)
		entry->extents[i] = memory_zeroed(header->extents[i], sizeof(*entry->extents[i]));
	table->first_chunk = header->first_chunk;
	table->chunk_count = header->chunk_count;
	table->row_count = header->row_count;
	table->rule_count = header->rule_count;
	table->first_row = memory_zeroed(table->chunk_count + 1UL, sizeof(*table->first_row));
	table->rows = memory_zeroed(table->row_count, sizeof(*table->rows));
	table->rules = memory_zeroed(table->rule_count, sizeof(*table->rules));
	lay_out(entry, parts);
	for (size_t i = 0; i < PARTS; i++)
		if (!read_all(fd, parts[i].iov_base, parts[i].iov_len))
			return false;
	return header->checksum == checksum(entry) && !unwind_table_check(table);
}

/* It is the proof that the table is this file's: what it was made of is read again. */
static bool is_made_of(const struct entry *entry, unsigned int which, const struct elf *elf)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < entry->header.extents[which]; i++)
		if (__builtin_add_overflow(bytes, entry->extents[which][i].bytes, &bytes) || bytes > READS_BYTES_MOST)
			return false;
	return !reads_repeat(elf, entry->extents[which], entry->header.extents[which], digest) &&
	       !memcmp(digest, entry->header.digests[which], sizeof(digest));
}

int unwind_cache_parse(int fd, const struct elf *elf, const struct elf *debug, struct unwind_table *table,
		       struct unwind_statistics *statistics)
{
	struct entry entry = { .extents = { NULL } };
	int error = 0;

	*table = (struct unwind_table){ 0 };
	if (!read_entry(fd, &entry))
		error = -EBADMSG;
	else if (entry.header.with_debug != !!debug || !is_made_of(&entry, 0, elf) || (debug && !is_made_of(&entry, 1, debug)))
		error = -ESTALE;
	free(entry.extents[0]);
	free(entry.extents[1]);
	if (error) {
		unwind_table_free(&entry.table);
		return error;
	}
	*table = entry.table;
	*statistics = entry.header.statistics;
	return 0;
}

static int get_from(const struct unwind_cache *cache, enum unwind_cache_half half, const struct elf *elf, const struct elf *debug,
		    struct unwind_table *table, struct unwind_statistics *statistics)
{
	static const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	char name[NAME_BYTES];
	int fd, error;

	make_name(elf, debug, half, name);
	/* Not to be kept waiting by what somebody else put there. */
	fd = openat(cache->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	error = unwind_cache_parse(fd, elf, debug, table, statistics);
	if (!error)
		futimens(fd, now);
	else if (error == -EBADMSG)
		unlinkat(cache->directory, name, 0);
	close(fd);
	return error ? -ENOENT : 0;
}

int unwind_cache_get(const struct unwind_cache *cache, const struct elf *elf, const struct elf *debug,
		     struct unwind_table *table, struct unwind_statistics *statistics)
{
	int error = -ENOENT;

	if (cache->directory < 0 || !is_cached(elf, debug))
		return -ENOENT;
	for (enum unwind_cache_half half = 0; half < UNWIND_CACHE_HALVES && error; half++)
		error = get_from(cache, half, elf, debug, table, statistics);
	return error;
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

/* Threads, and daemons in containers of their own with the same number, may be at the same file. */
static int make_unfinished(const struct unwind_cache *cache, const char *name, char *unfinished)
{
	uint64_t mark;
	int fd;

	if (getrandom(&mark, sizeof(mark), 0) != sizeof(mark))
		return -errno;
	snprintf(unfinished, PATH_BYTES, "%s.%016" PRIx64 UNFINISHED, name, mark);
	fd = openat(cache->directory, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static int write_entry(const struct unwind_cache *cache, const char *name, struct entry *entry)
{
	char unfinished[PATH_BYTES];
	struct iovec parts[PARTS];
	bool written;
	int fd = make_unfinished(cache, name, unfinished), error;

	if (fd < 0)
		return fd;
	lay_out(entry, parts);
	written = write_all(fd, &entry->header, sizeof(entry->header));
	for (size_t i = 0; i < PARTS && written; i++)
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
	char name[PATH_BYTES];
	struct timespec used;
	uint64_t bytes;
	enum unwind_cache_half half;
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

	return bytes > end_bytes && bytes < PATH_BYTES && !strcmp(name + bytes - end_bytes, end);
}

/* Other files in the directory are nobody's business here. */
static struct old *list(const struct unwind_cache *cache, DIR *directory, size_t *count, uint64_t *bytes_of)
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
		files[*count].half = ends_with(entry->d_name, ELSEWHERE) ? UNWIND_CACHE_ELSEWHERE : UNWIND_CACHE_HERE;
		bytes_of[files[*count].half] += (uint64_t)status.st_size;
		(*count)++;
	}
	return files;
}

/* The larger half's go, in their order, until that much is left. */
static void drop_old(const struct unwind_cache *cache, struct old *files, size_t count, uint64_t *bytes_of, uint64_t left)
{
	size_t next[UNWIND_CACHE_HALVES] = { 0 };

	qsort(files, count, sizeof(*files), by_use);
	while (bytes_of[UNWIND_CACHE_HERE] + bytes_of[UNWIND_CACHE_ELSEWHERE] > left) {
		enum unwind_cache_half half = bytes_of[UNWIND_CACHE_ELSEWHERE] > bytes_of[UNWIND_CACHE_HERE];
		size_t *at = &next[half];

		while (*at < count && files[*at].half != half)
			(*at)++;
		if (*at == count)
			return;
		if (!unlinkat(cache->directory, files[*at].name, 0))
			bytes_of[half] -= files[*at].bytes;
		(*at)++;
	}
}

/* With more than is needed, so that it is not done for each that comes. */
static void read_directory(struct unwind_cache *cache)
{
	int fd = openat(cache->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	uint64_t bytes_of[UNWIND_CACHE_HALVES] = { 0 };
	struct old *files;
	size_t count = 0;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return;
	}
	files = list(cache, directory, &count, bytes_of);
	closedir(directory);
	if (bytes_of[UNWIND_CACHE_HERE] + bytes_of[UNWIND_CACHE_ELSEWHERE] > cache->most_bytes)
		drop_old(cache, files, count, bytes_of, cache->most_bytes - cache->most_bytes / 8);
	free(files);
	cache->bytes = bytes_of[UNWIND_CACHE_HERE] + bytes_of[UNWIND_CACHE_ELSEWHERE];
}

static void make_room(struct unwind_cache *cache, uint64_t more)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	pthread_mutex_lock(&cache->lock);
	cache->bytes += more;
	if (!cache->listed || (uint64_t)time.tv_sec - (cache->listed - 1) >= LISTED_AGE || cache->bytes > cache->most_bytes) {
		cache->listed = (uint64_t)time.tv_sec + 1;
		read_directory(cache);
	}
	pthread_mutex_unlock(&cache->lock);
}

int unwind_cache_put(struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, enum unwind_cache_half half,
		     struct elf_reads *reads, const struct unwind_table *table, const struct unwind_statistics *statistics)
{
	struct entry entry = { .extents = { reads[0].extents, debug ? reads[1].extents : NULL }, .table = *table };
	struct header *header = &entry.header;
	char name[NAME_BYTES];
	int error;

	if (cache->directory < 0 || !is_cached(elf, debug) || reads[0].broken || (debug && reads[1].broken))
		return -ENOENT;
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->version = VERSION;
	header->with_debug = !!debug;
	for (size_t i = 0; i < 1U + !!debug; i++) {
		header->extents[i] = (uint32_t)reads[i].count;
		reads_end(&reads[i], header->digests[i]);
	}
	header->first_chunk = table->first_chunk;
	header->chunk_count = table->chunk_count;
	header->row_count = table->row_count;
	header->rule_count = table->rule_count;
	header->statistics = *statistics;
	if (entry_bytes(header) > cache->most_bytes)
		return -EFBIG;
	header->checksum = checksum(&entry);
	make_name(elf, debug, half, name);
	error = write_entry(cache, name, &entry);
	if (!error)
		make_room(cache, entry_bytes(header));
	return error;
}

static int read_and_keep(struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, enum unwind_cache_half half,
			 size_t most_bytes, struct unwind_table *table, struct unwind_statistics *statistics)
{
	struct elf noted = *elf, noted_debug;
	struct elf_reads reads[2];
	int error;

	reads_begin(&reads[0], elf);
	noted.source.reads = &reads[0];
	if (debug) {
		reads_begin(&reads[1], debug);
		noted_debug = *debug;
		noted_debug.source.reads = &reads[1];
	}
	error = unwind_read(table, &noted, debug ? &noted_debug : NULL, most_bytes, statistics);
	if (!error)
		unwind_cache_put(cache, elf, debug, half, reads, table, statistics);	/* if not, it is read again next time */
	reads_free(&reads[0]);
	if (debug)
		reads_free(&reads[1]);
	return error;
}

int unwind_cache_read(struct unwind_cache *cache, const struct elf *elf, const struct elf *debug, enum unwind_cache_half half,
		      size_t most_bytes, struct unwind_table *table, struct unwind_statistics *statistics)
{
	if (cache->directory < 0 || !is_cached(elf, debug))
		return unwind_read(table, elf, debug, most_bytes, statistics);
	if (unwind_cache_get(cache, elf, debug, table, statistics))
		return read_and_keep(cache, elf, debug, half, most_bytes, table, statistics);
	if (unwind_table_bytes(table) <= most_bytes)
		return 0;
	unwind_table_free(table);
	return -EFBIG;
}
