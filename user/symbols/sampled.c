// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file was open once, when the device held it or the capture was recorded, and what was found then is told here. If its
 * symbols have to be read again, they are from the copy in the capture, or from what has its path now, if that is the same
 * file or, with the same build id, the same program: on another host, or after it was installed anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/message.h"
#include "symbols/proc.h"
#include "symbols/state.h"

#define OPEN_ATTEMPTS_MOST	3

static void release(struct sampled *sampled)
{
	if (sampled->file.fd >= 0)
		close(sampled->file.fd);
	free((char *)sampled->file.path);
	free(sampled);
}

static uint64_t key_of(uint32_t number)
{
	return hash_words(hash_bytes("number", 6, 0), number);
}

void symbols_set_file(struct symbols *symbols, const struct symbols_file *file)
{
	uint32_t number = file->identity.file;
	struct sampled *sampled = memory_zeroed(1, sizeof(*sampled)), *before;

	sampled->file = *file;
	sampled->file.path = memory_string(file->path);
	sampled->file.names = NULL;
	sampled->key = key_of(number);
	sampled->recent = true;
	sampled->failures = file->error ? OPEN_ATTEMPTS_MOST : 0;
	before = map_put(&symbols->sampled, number, sampled);
	if (before)
		release(before);
	sampled->has_names = file->names;
	if (file->names)
		cache_put(&symbols->cache, sampled->key, file->names);
	symbols->files_failed += file->error != 0;
}

bool symbols_are_awaited(const struct symbols *symbols, uint32_t number)
{
	const struct sampled *sampled = symbols->leave_reading ? sampled_get(symbols, number) : NULL;

	return sampled && sampled->file.awaited;
}

/* As long as none was dropped, there is nothing to look for. */
bool symbols_were_dropped(const struct symbols *symbols, uint32_t number)
{
	const struct sampled *sampled = symbols->cache.evicted ? sampled_get(symbols, number) : NULL;

	return sampled && sampled->has_names && sampled->failures < OPEN_ATTEMPTS_MOST &&
	       !map_get(&symbols->cache.files, sampled->key);
}

void symbols_set_names(struct symbols *symbols, uint32_t number, struct file *names)
{
	struct sampled *sampled = sampled_get(symbols, number);

	if (sampled && names) {
		cache_put(&symbols->cache, sampled->key, names);
	} else if (sampled) {
		sampled->failures++;
		symbols->files_failed++;
	} else if (names) {
		file_free(names);
	}
}

bool symbols_are_downloading(const struct symbols *symbols, uint32_t number)
{
	const struct sampled *sampled = symbols->leave_reading ? sampled_get(symbols, number) : NULL;

	return sampled && sampled->file.downloading;
}

void symbols_end_download(struct symbols *symbols, uint32_t number, struct file *names)
{
	struct sampled *sampled = sampled_get(symbols, number);

	if (sampled)
		sampled->file.downloading = false;
	if (sampled && names) {
		sampled->has_names = true;
		cache_put(&symbols->cache, sampled->key, names);
	} else if (names) {
		file_free(names);
	}
}

const struct symbols_file *symbols_find_file(struct symbols *symbols, uint32_t number)
{
	struct sampled *sampled = sampled_get(symbols, number);

	if (!sampled)
		return NULL;
	sampled->recent = true;
	return &sampled->file;
}

void symbols_each_file(const struct symbols *symbols, symbols_file_use *use, void *context)
{
	for (struct map_slot *slot = map_next(&symbols->sampled, NULL); slot; slot = map_next(&symbols->sampled, slot))
		use(context, &((const struct sampled *)slot->value)->file);
}

void symbols_forget_files(struct symbols *symbols)
{
	for (struct map_slot *slot = map_next(&symbols->sampled, NULL); slot; slot = map_next(&symbols->sampled, slot)) {
		struct sampled *sampled = slot->value;

		if (sampled->recent) {
			sampled->recent = false;
		} else {
			map_remove(&symbols->sampled, slot->key);
			release(sampled);
		}
	}
}

void sampled_free_all(struct symbols *symbols)
{
	for (struct map_slot *slot = map_next(&symbols->sampled, NULL); slot; slot = map_next(&symbols->sampled, slot))
		release(slot->value);
	map_free(&symbols->sampled);
}

struct sampled *sampled_get(const struct symbols *symbols, uint32_t number)
{
	return number ? map_get(&symbols->sampled, number) : NULL;
}

/* ------------------------------------------------------------------------------------------------ opening it again */

static bool has_build_id(int fd, uint64_t bytes, const struct symbols_file *file)
{
	const struct elf_source source = { .fd = fd, .bytes = bytes };
	struct elf elf;
	bool same;

	if (!file->build_id_bytes || elf_open(&elf, &source))
		return false;
	same = elf.build_id_bytes == file->build_id_bytes && !memcmp(elf.build_id, file->build_id, elf.build_id_bytes);
	elf_close(&elf);
	return same;
}

/* Device and inode are not compared: stat() may tell others than the kernel does, of a union file system for one. */
static bool is_unchanged(const struct stat *status, const struct ktally_file *identity)
{
	return (uint64_t)status->st_size == identity->bytes &&
	       status->st_mtim.tv_sec * 1000000000LL + status->st_mtim.tv_nsec == identity->modified;
}

int symbols_open_path(const struct symbols_file *file)
{
	int root = file->path[0] == '/' ? proc_open_root(0) : -ENOENT, fd;
	struct stat status;

	if (root < 0)
		return root;
	fd = proc_open_in_root(root, file->path);
	close(root);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) ||
	    (!is_unchanged(&status, &file->identity) && !has_build_id(fd, (uint64_t)status.st_size, file))) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

/*
 * The numbers of the file, too, are those that the device told, where stat() tells the same. Where it does not, size and times are all
 * there is, which any user can give to his own files, and so only those of root are the same.
 */
static bool is_same(int fd, const struct stat *status, const struct ktally_file *identity)
{
	if (!is_unchanged(status, identity))
		return false;
	if (status->st_ino == identity->inode && status->st_dev == makedev(identity->device_major, identity->device_minor))
		return true;
	return (!status->st_uid || status->st_uid == geteuid()) && proc_makes_up_devices(fd);
}

int symbols_open_path_here(const struct symbols_file *file)
{
	int root = file->path[0] == '/' ? proc_open_root(0) : -ENOENT, fd;
	struct stat status;

	if (root < 0)
		return root;
	fd = proc_open_chosen(root, file->path, makedev(file->identity.device_major, file->identity.device_minor));
	close(root);
	if (fd >= 0 && (fstat(fd, &status) || !is_same(fd, &status, &file->identity))) {
		close(fd);
		fd = -ESTALE;
	}
	return fd;
}

static int open_file(const struct symbols_file *file)
{
	int fd;

	if (file->fd < 0)
		return symbols_open_path(file);
	fd = dup(file->fd);
	return fd < 0 ? -errno : fd;
}

int sampled_open(const struct sampled *sampled, struct symbols_opened *opened)
{
	struct stat status;

	if (sampled->failures >= OPEN_ATTEMPTS_MOST)
		return sampled->file.error;
	*opened = (struct symbols_opened){ .fd = open_file(&sampled->file), .root = -1 };
	if (opened->fd < 0)
		return opened->fd;
	if (fstat(opened->fd, &status)) {
		int error = -errno;

		symbols_close(opened);
		return error;
	}
	opened->bytes = (uint64_t)status.st_size;
	opened->key = sampled->key;
	opened->path = memory_string(sampled->file.path);
	opened->root = proc_open_root(0);
	return 0;
}

struct file *sampled_file(struct symbols *symbols, struct sampled *sampled)
{
	struct file *file = sampled->useless ? NULL : cache_get(&symbols->cache, sampled->key);
	struct symbols_opened opened;
	int error;

	if (file || sampled->useless || symbols->leave_reading)
		return file;
	error = sampled_open(sampled, &opened);
	if (error) {
		symbols->files_failed += sampled->failures < OPEN_ATTEMPTS_MOST;
		sampled->file.error = error;
		sampled->failures++;
		return NULL;
	}
	sampled->file.error = 0;
	sampled->useless = symbols_read_opened(symbols, &opened, sampled->key, &file);
	symbols_close(&opened);
	return file;
}
