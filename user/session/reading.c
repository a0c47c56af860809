// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/message.h"
#include "capture/capture.h"
#include "session/reading.h"
#include "symbols/debug.h"
#include "symbols/download.h"
#include "symbols/file.h"
#include "symbols/proc.h"

#define SYMBOLS_BYTES_MOST	(32U << 20)	/* of one file */
#define CONTENT_BYTES_MOST	(64U << 20)	/* of one file, and eight times as much of all */
#define CACHE_BYTES_MOST	(256U << 20)	/* on disk */

void reading_begin(struct reading *reading, const struct loader_options *options)
{
	*reading = (struct reading){ .options = *options };
	unwind_cache_open(&reading->cache, CACHE_BYTES_MOST);
}

void reading_end(struct reading *reading)
{
	unwind_cache_close(&reading->cache);
}

static void add(uint64_t *counter, uint64_t count)
{
	__atomic_add_fetch(counter, count, __ATOMIC_RELAXED);
}

void reading_get_statistics(const struct reading *reading, struct loader_statistics *statistics)
{
	statistics->tables = __atomic_load_n(&reading->tables, __ATOMIC_RELAXED);
	statistics->tables_failed = __atomic_load_n(&reading->tables_failed, __ATOMIC_RELAXED);
	statistics->tables_evicted = __atomic_load_n(&reading->tables_evicted, __ATOMIC_RELAXED);
}

static void load_table(struct reading *reading, uint32_t number, const struct unwind_table *table)
{
	struct ktally_load_table argument = {
		.file = number, .first_chunk = table->first_chunk, .chunk_count = table->chunk_count,
		.rows = (uintptr_t)table->rows, .row_count = table->row_count,
		.first_rows = (uintptr_t)table->first_row,
		.rules = (uintptr_t)table->rules, .rule_count = table->rule_count,
	};
	int error = ktally_load_table(reading->session, &argument);

	add(!error || error == -EEXIST ? &reading->tables : &reading->tables_failed, 1);
	add(&reading->tables_evicted, argument.evicted);
}

/* The host has it where whoever mapped it has it, which no container's file is. */
static bool is_here(const struct symbols_file *file)
{
	int fd = symbols_open_path_here(file);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void make_table(struct reading *reading, const struct elf *elf, const struct symbols_file *file, int root)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	struct elf debug;
	bool has_debug = !debug_open(elf, file->path, root, &debug);
	enum unwind_cache_half half = is_here(file) ? UNWIND_CACHE_HERE : UNWIND_CACHE_ELSEWHERE;
	int error = unwind_cache_read(&reading->cache, elf, has_debug ? &debug : NULL, half, KTALLY_UNWIND_BYTES_MAX, &table, &statistics);

	if (!error) {
		load_table(reading, file->identity.file, &table);
		unwind_table_free(&table);
	} else if (error != -ENOEXEC && error != -ENODATA) {
		add(&reading->tables_failed, 1);
	}
	if (has_debug) {
		close(debug.source.fd);
		elf_close(&debug);
	}
}

static void read_names(const struct elf_source *source, struct symbols_file *file, int root)
{
	if (file_read(&file->names, source, file->path, root, SYMBOLS_BYTES_MOST))
		file->names = NULL;
}

static void read_program(struct reading *reading, const struct elf_source *source, struct symbols_file *file, int root)
{
	struct elf elf;

	if (elf_open(&elf, source))
		return;
	memcpy(file->build_id, elf.build_id, elf.build_id_bytes);
	file->build_id_bytes = elf.build_id_bytes;
	make_table(reading, &elf, file, root);
	elf_close(&elf);
	if (reading->options.names)
		read_names(source, file, root);
}

static bool read_content(int fd, char *content, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t more = pread(fd, content + done, bytes - done, (off_t)done);

		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			return false;
		done += (size_t)more;
	}
	return true;
}

/* Its place is taken before, as others take theirs at the same time. */
static void keep_content(struct reading *reading, int fd, size_t bytes, struct loaded *loaded)
{
	char *content;

	if (bytes > CONTENT_BYTES_MOST)
		return;
	if (__atomic_add_fetch(&reading->contents_bytes, bytes, __ATOMIC_RELAXED) <= 8ULL * CONTENT_BYTES_MOST) {
		content = memory_zeroed(bytes, 1);
		if (read_content(fd, content, bytes) && !capture_pack(content, bytes, &loaded->packed, &loaded->packed_bytes))
			loaded->content_bytes = bytes;
		free(content);
	}
	if (!loaded->content_bytes)
		__atomic_sub_fetch(&reading->contents_bytes, bytes, __ATOMIC_RELAXED);
}

int reading_open(const struct reading *reading, struct symbols_file *file)
{
	char path[KTALLY_PATH_BYTES_MAX] = "";
	uint32_t status = 0;
	int fd = ktally_open_file(reading->session, file->identity.file, path, sizeof(path), &status);

	file->path = memory_string(path);
	file->deleted = status & KTALLY_FILE_DELETED;
	file->error = fd < 0 ? fd : 0;
	return fd;
}

int reading_open_again(const struct reading *reading, const struct symbols_file *file)
{
	int fd = ktally_open_file(reading->session, file->identity.file, NULL, 0, NULL);

	return fd < 0 ? symbols_open_path_here(file) : fd;
}

/* A stripped file that has a path: where there is none, nobody made a package of it. */
static bool lacks_debug_file(const struct symbols_file *file)
{
	return file->names && !file->names->whole && file->build_id_bytes && file->path[0] == '/';
}

void reading_read(struct reading *reading, int fd, struct loaded *loaded)
{
	struct symbols_file *file = &loaded->file;
	struct stat found;

	if (!fstat(fd, &found) && found.st_size > 0) {
		const struct elf_source source = { .fd = fd, .bytes = (uint64_t)found.st_size };
		int root = proc_open_root(0);

		read_program(reading, &source, file, root);
		if (root >= 0)
			close(root);
		if (reading->options.contents && (file->deleted || !is_here(file)))
			keep_content(reading, fd, (size_t)found.st_size, loaded);
	}
	file->downloading = download_is_allowed() == DOWNLOAD_LATER && lacks_debug_file(file);
}

void reading_read_names(int fd, struct symbols_file *file)
{
	int root = proc_open_root(0);
	struct stat found;

	if (!fstat(fd, &found) && found.st_size > 0) {
		const struct elf_source source = { .fd = fd, .bytes = (uint64_t)found.st_size };

		read_names(&source, file, root);
	}
	if (root >= 0)
		close(root);
}
