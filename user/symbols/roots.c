// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/map.h"
#include "symbols/proc.h"
#include "symbols/roots.h"

#define PLACES_MOST 1024	/* distinct ones that are looked at: containers on a host, and a few more */

/* The numbers of the file, too, must be those that the device told, where stat() tells the same as the device. */
static bool is_same(int fd, const struct stat *status, const struct ktally_file *identity)
{
	if ((uint64_t)status->st_size != identity->bytes ||
	    status->st_mtim.tv_sec * 1000000000LL + status->st_mtim.tv_nsec != identity->modified)
		return false;
	return (status->st_ino == identity->inode &&
		status->st_dev == makedev(identity->device_major, identity->device_minor)) || proc_makes_up_devices(fd);
}

static bool leads_to(int root, const struct symbols_file *file)
{
	int fd = root < 0 || file->path[0] != '/' ? -1 : proc_open_in_root(root, file->path);
	struct stat status;
	bool same;

	if (fd < 0)
		return false;
	same = !fstat(fd, &status) && is_same(fd, &status, &file->identity);
	close(fd);
	return same;
}

/* What paths lead to: a root in a mount namespace. 0: it cannot be seen, or is gone. */
static uint64_t place_of(uint32_t pid)
{
	struct stat root, mounts;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/root", pid);
	if (stat(path, &root))
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/ns/mnt", pid);
	if (stat(path, &mounts))
		return 0;
	return hash_words(mounts.st_ino, hash_words(root.st_dev, root.st_ino)) | 1;
}

static int try_process(uint32_t pid, struct map *places, const struct symbols_file *file)
{
	uint64_t place = place_of(pid);
	int root;

	if (!place || places->used >= PLACES_MOST || map_put(places, place, places))
		return -1;
	root = proc_open_root(pid);
	if (root >= 0 && !leads_to(root, file)) {
		close(root);
		root = -1;
	}
	return root;
}

/* Of each place one process is asked. */
static int find_elsewhere(const struct symbols_file *file)
{
	DIR *processes = opendir("/proc");
	struct map places = { 0 };
	const struct dirent *entry;
	int root = -1;

	map_put(&places, place_of((uint32_t)getpid()), &places);
	while (processes && root < 0 && (entry = readdir(processes))) {
		uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (pid)
			root = try_process(pid, &places, file);
	}
	if (processes)
		closedir(processes);
	map_free(&places);
	return root;
}

void roots_open(struct roots *roots, const struct symbols_file *file)
{
	int here = proc_open_root(0), elsewhere;

	*roots = (struct roots){ .leads_here = leads_to(here, file) };
	elsewhere = roots->leads_here || file->deleted ? -1 : find_elsewhere(file);
	if (here >= 0)
		roots->fds[roots->count++] = here;
	if (elsewhere >= 0)
		roots->fds[roots->count++] = elsewhere;
}

void roots_close(const struct roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		close(roots->fds[i]);
}
