// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/message.h"
#include "symbols/debug.h"
#include "symbols/download.h"
#include "symbols/proc.h"

#define PATH_BYTES_MOST		4096
#define LINK_BYTES_MOST		512
#define CHECKSUM_BYTES_MOST	(256U << 20)	/* a file without a build id is old, or not from a distribution */
#define PACKED_BYTES_MOST	(16U << 20)
#define UNPACKED_BYTES_MOST	(32U << 20)
#define UNPACKING_BYTES_MOST	(20U << 20)	/* memory of the decompressor: xz -7; distributions use -6 */

static bool same_build_id(const struct elf *a, const struct elf *b)
{
	return a->build_id_bytes && a->build_id_bytes == b->build_id_bytes &&
	       !memcmp(a->build_id, b->build_id, a->build_id_bytes);
}

static bool has_checksum(const struct elf *debug, uint32_t wanted)
{
	char chunk[16384];
	uLong sum = crc32(0, NULL, 0);

	if (debug->source.bytes > CHECKSUM_BYTES_MOST)
		return false;
	for (uint64_t at = 0; at < debug->source.bytes; at += sizeof(chunk)) {
		uint64_t here = debug->source.bytes - at;

		if (here > sizeof(chunk))
			here = sizeof(chunk);
		if (elf_read(debug, at, chunk, here))
			return false;
		sum = crc32(sum, (const Bytef *)chunk, (uInt)here);
	}
	return sum == wanted;
}

/*
 * Whether what is open is the debug file; if not, it is closed. Negative: nothing is. checksum: NULL if only the build id counts.
 */
static bool try_file(const struct elf *elf, int fd, const uint32_t *checksum, struct elf *debug)
{
	struct elf_source source = { .fd = fd };
	struct stat status;

	if (fd < 0)
		return false;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0) {
		source.bytes = (uint64_t)status.st_size;
		if (!elf_open(debug, &source)) {
			if (elf_find_section_type(debug, SHT_SYMTAB) && debug->is64 == elf->is64 && debug->machine == elf->machine &&
			    (elf->build_id_bytes ? same_build_id(elf, debug) : checksum && has_checksum(debug, *checksum)))
				return true;
			elf_close(debug);
		}
	}
	close(fd);
	return false;
}

static bool try_path(const struct elf *elf, int root, const char *path, const uint32_t *checksum, struct elf *debug)
{
	return try_file(elf, proc_open_in_root(root, path), checksum, debug);
}

/* A cache that somebody else may write is his to fill. */
static bool try_cached(const struct elf *elf, int fd, struct elf *debug)
{
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) || (status.st_uid && status.st_uid != geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)))) {
		close(fd);
		fd = -1;
	}
	return try_file(elf, fd, NULL, debug);
}

static bool try_build_id(const struct elf *elf, int root, struct elf *debug)
{
	char path[64 + 2 * ELF_BUILD_ID_MOST];
	size_t bytes;

	if (elf->build_id_bytes < 2)
		return false;
	bytes = (size_t)sprintf(path, "/usr/lib/debug/.build-id/%02x/", elf->build_id[0]);
	for (size_t i = 1; i < elf->build_id_bytes; i++)
		bytes += (size_t)sprintf(path + bytes, "%02x", elf->build_id[i]);
	strcpy(path + bytes, ".debug");
	return try_path(elf, root, path, NULL, debug);
}

/*
 * What debuginfod-find(1), gdb, we and the like have downloaded: "CACHE/BUILDID/debuginfo", empty if there is none. The places
 * are those of debuginfod_find_debuginfo(3), and the one that services use.
 */
static bool try_debuginfod(const struct elf *elf, struct elf *debug)
{
	static const struct {
		const char *variable, *below;
	} places[] = {
		{ "DEBUGINFOD_CACHE_PATH", "" },
		{ "XDG_CACHE_HOME", "/debuginfod_client" },
		{ "HOME", "/.cache/debuginfod_client" },
		{ "HOME", "/.debuginfod_client_cache" },
		{ NULL, "/var/cache/debuginfod_client" },
	};
	char path[PATH_BYTES_MOST], id[2 * ELF_BUILD_ID_MOST + 1];
	bool found = false;
	int root;

	if (elf->build_id_bytes < 2)
		return false;
	root = proc_open_root(0);
	for (size_t i = 0; i < elf->build_id_bytes; i++)
		sprintf(id + 2 * i, "%02x", elf->build_id[i]);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !found; i++) {
		const char *base = places[i].variable ? getenv(places[i].variable) : "";
		int bytes = base ? snprintf(path, sizeof(path), "%s%s/%s/debuginfo", base, places[i].below, id) : 0;

		found = bytes > 0 && (size_t)bytes < sizeof(path) && path[0] == '/' &&
			try_cached(elf, proc_open_in_root(root, path), debug);
	}
	if (root >= 0)
		close(root);
	return found;
}

/* The section has a file name, zeros up to a multiple of 4, and the checksum. */
static bool read_link(const struct elf *elf, char *name, uint32_t *checksum)
{
	const struct elf_section *section = elf_find_section(elf, ".gnu_debuglink");
	size_t bytes;

	if (!section || section->bytes < 8 || section->bytes > LINK_BYTES_MOST ||
	    elf_read(elf, section->offset, name, section->bytes))
		return false;
	bytes = (strnlen(name, section->bytes) + 4) & ~3UL;
	if (bytes + sizeof(*checksum) > section->bytes || !name[0] || strchr(name, '/') || name[0] == '.')
		return false;
	memcpy(checksum, name + bytes, sizeof(*checksum));
	return true;
}

/*
 * Beside the file only if that is where the path leads to: a path is one of where the file was run, and in another container, or on the
 * host, somebody else may have that directory. What is in memory comes from nowhere, and its path is the caller's.
 */
static bool is_at_path(const struct elf *elf, int root, const char *path)
{
	struct stat own, status;
	bool same = false;
	int fd;

	if (elf->source.memory || fstat(elf->source.fd, &own))
		return elf->source.memory;
	fd = proc_open_chosen(root, path, own.st_dev);
	if (fd < 0)
		return false;
	if (!fstat(fd, &status) && own.st_ino == status.st_ino && own.st_size == status.st_size &&
	    own.st_mtim.tv_sec == status.st_mtim.tv_sec && own.st_mtim.tv_nsec == status.st_mtim.tv_nsec)
		same = own.st_dev == status.st_dev || proc_makes_up_devices(fd);
	close(fd);
	return same;
}

static bool try_link(const struct elf *elf, int root, const char *directory, const char *name, uint32_t checksum, bool beside,
		     struct elf *debug)
{
	static const struct {
		const char *before, *behind;
		bool beside;
	} forms[] = { { "", "/", true }, { "", "/.debug/", true }, { "/usr/lib/debug", "/", false } };
	char path[PATH_BYTES_MOST];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		int bytes = snprintf(path, sizeof(path), "%s%s%s%s", forms[i].before, directory, forms[i].behind, name);

		if (bytes > 0 && (size_t)bytes < sizeof(path) && (beside || !forms[i].beside) && try_path(elf, root, path, &checksum, debug))
			return true;
	}
	return false;
}

int debug_open(const struct elf *elf, const char *path, int root, struct elf *debug)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	char directory[PATH_BYTES_MOST], name[LINK_BYTES_MOST];
	uint32_t checksum;
	bool linked = slash && (size_t)(slash - path) < sizeof(directory) && read_link(elf, name, &checksum);

	if (root < 0)
		return -ENOENT;
	if (linked) {
		memcpy(directory, path, (size_t)(slash - path));
		directory[slash - path] = '\0';
	}
	if (try_build_id(elf, root, debug) ||
	    (linked && try_link(elf, root, directory, name, checksum, is_at_path(elf, root, path), debug)) || try_debuginfod(elf, debug))
		return 0;
	return -ENOENT;
}

int debug_download(const struct elf *elf, struct elf *debug)
{
	if (download_is_allowed() != DOWNLOAD_AT_ONCE ||
	    !try_file(elf, download_debug_file(elf->build_id, elf->build_id_bytes, NULL, NULL), NULL, debug))
		return -ENOENT;
	return 0;
}

int debug_unpack(const struct elf *elf, struct elf *debug)
{
	const struct elf_section *section = elf_find_section(elf, ".gnu_debugdata");
	lzma_stream stream = LZMA_STREAM_INIT;
	struct elf_source source = { .fd = -1 };
	uint8_t *packed, *unpacked = NULL;
	size_t room = 0;
	lzma_ret result;
	int error;

	if (!section)
		return -ENOENT;
	if (!section->bytes || section->bytes > PACKED_BYTES_MOST || section->bytes > elf->source.bytes ||
	    lzma_stream_decoder(&stream, UNPACKING_BYTES_MOST, 0) != LZMA_OK)
		return -EBADMSG;
	packed = memory_zeroed(section->bytes, 1);
	error = elf_read(elf, section->offset, packed, section->bytes);
	stream.next_in = packed;
	stream.avail_in = section->bytes;
	while (!error) {
		if (!stream.avail_out && room < UNPACKED_BYTES_MOST) {
			size_t bigger = room ? room * 2 : 64 << 10;

			unpacked = memory_resized(unpacked, bigger, 1);
			stream.next_out = unpacked + room;
			stream.avail_out = bigger - room;
			room = bigger;
		}
		result = lzma_code(&stream, LZMA_FINISH);
		if (result == LZMA_STREAM_END)
			break;
		if (result != LZMA_OK || (!stream.avail_out && room >= UNPACKED_BYTES_MOST))
			error = -EBADMSG;
	}
	source.memory = unpacked;
	source.bytes = room - stream.avail_out;
	lzma_end(&stream);
	free(packed);
	if (!error)
		error = elf_open(debug, &source);
	if (error)
		free(unpacked);
	return error;
}
