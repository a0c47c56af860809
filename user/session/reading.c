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
#include "symbols/roots.h"

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

static void load_table(struct reading *reading, uint32_t number, const struct unwind_table *table)
{
	struct ktally_load_table argument = {
		.file = number, .first_chunk = table->first_chunk, .chunk_count = table->chunk_count,
		.rows = (uintptr_t)table->rows, .row_count = table->row_count,
		.first_rows = (uintptr_t)table->first_row,
		.rules = (uintptr_t)table->rules, .rule_count = table->rule_count,
	};
	int error = ktally_load_table(reading->options.session, &argument);

	if (!error || error == -EEXIST)
		reading->statistics.tables++;
	else
		reading->statistics.tables_failed++;
	reading->statistics.tables_evicted += argument.evicted;
}

static void make_table(struct reading *reading, const struct elf *elf, const struct symbols_file *file, const struct roots *roots)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	struct elf debug;
	bool has_debug = !debug_open(elf, file->path, roots->fds, roots->count, &debug);
	int error = unwind_cache_read(&reading->cache, elf, has_debug ? &debug : NULL, KTALLY_UNWIND_BYTES_MAX, &table,
				      &statistics);

	if (!error) {
		load_table(reading, file->identity.file, &table);
		unwind_table_free(&table);
	} else if (error != -ENOEXEC && error != -ENODATA) {
		reading->statistics.tables_failed++;
	}
	if (has_debug) {
		close(debug.source.fd);
		elf_close(&debug);
	}
}

static void read_names(const struct elf_source *source, struct symbols_file *file, const struct roots *roots)
{
	if (file_read(&file->names, source, file->path, roots->fds, roots->count, SYMBOLS_BYTES_MOST))
		file->names = NULL;
}

static void read_program(struct reading *reading, const struct elf_source *source, struct symbols_file *file, const struct roots *roots)
{
	struct elf elf;

	if (elf_open(&elf, source))
		return;
	memcpy(file->build_id, elf.build_id, elf.build_id_bytes);
	file->build_id_bytes = elf.build_id_bytes;
	make_table(reading, &elf, file, roots);
	elf_close(&elf);
	if (reading->options.names)
		read_names(source, file, roots);
}

static void keep_content(struct reading *reading, int fd, size_t bytes, struct loaded *loaded)
{
	size_t done = 0;
	char *content;

	if (bytes > CONTENT_BYTES_MOST || reading->contents_bytes + bytes > 8ULL * CONTENT_BYTES_MOST)
		return;
	content = memory_zeroed(bytes, 1);
	while (done < bytes) {
		ssize_t more = pread(fd, content + done, bytes - done, (off_t)done);

		if (more <= 0)
			break;
		done += (size_t)more;
	}
	if (done < bytes) {
		free(content);
		return;
	}
	if (!capture_pack(content, bytes, &loaded->packed, &loaded->packed_bytes)) {
		reading->contents_bytes += bytes;
		loaded->content_bytes = bytes;
	}
	free(content);
}

int reading_open(const struct reading *reading, struct symbols_file *file)
{
	char path[KTALLY_PATH_BYTES_MAX] = "";
	uint32_t status = 0;
	int fd = ktally_open_file(reading->options.session, file->identity.file, path, sizeof(path), &status);

	file->path = memory_string(path);
	file->deleted = status & KTALLY_FILE_DELETED;
	file->error = fd < 0 ? fd : 0;
	return fd;
}

int reading_open_again(const struct reading *reading, const struct symbols_file *file)
{
	int fd = ktally_open_file(reading->options.session, file->identity.file, NULL, 0, NULL);

	return fd < 0 ? symbols_open_path(file) : fd;
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
		struct roots roots;

		roots_open(&roots, file);
		read_program(reading, &source, file, &roots);
		roots_close(&roots);
		if (reading->options.contents && (file->deleted || !roots.leads_here))
			keep_content(reading, fd, (size_t)found.st_size, loaded);
	}
	file->downloading = download_is_allowed() == DOWNLOAD_LATER && lacks_debug_file(file);
}

void reading_read_names(int fd, struct symbols_file *file)
{
	struct stat found;
	struct roots roots;

	if (!fstat(fd, &found) && found.st_size > 0) {
		const struct elf_source source = { .fd = fd, .bytes = (uint64_t)found.st_size };

		roots_open(&roots, file);
		read_names(&source, file, &roots);
		roots_close(&roots);
	}
}
