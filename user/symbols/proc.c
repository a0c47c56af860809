// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/buffer.h"
#include "base/message.h"
#include "symbols/mappings.h"
#include "symbols/mounts.h"
#include "symbols/proc.h"
#include "symbols/rooted.h"
#include "symbols/symbols.h"

#define BCACHEFS_SUPER_MAGIC	0xca451a4e	/* not in the headers of older kernels */

#define PATH_BYTES_MOST		4096
#define STAT_BYTES_MOST		4096
#define STATUS_BYTES_MOST	16384
#define KALLSYMS_BYTES_MOST	(256U << 20)
#define MAPS_BYTES_READ_MOST	(64U << 20)	/* 65 530 mappings, of which few can have the longest path */
#define MAPS_BYTES_KEPT_MOST	(4U << 20)

#define CONTAINER_USERS		65536U		/* that one is given, mostly */

int proc_open_root(uint32_t pid)
{
	char path[64] = "/";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%u/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * From a descriptor that merely names a file, or -errno, to one that reads it: nothing happens to a device or a pipe on the way.
 */
static int open_named(int named, struct stat *status)
{
	char path[64];
	int fd, error = 0;

	if (named < 0)
		return named;
	if (fstat(named, status))
		error = -errno;
	else if (!S_ISREG(status->st_mode))
		error = -EACCES;
	if (!error) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", named);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		error = fd < 0 ? -errno : fd;
	}
	close(named);
	return error;
}

int proc_open_in_root(int root, const char *path)
{
	struct stat status;

	return open_named(rooted_open(root, path), &status);
}

struct chosen {
	struct buffer mounts;		/* as they were before it was looked for */
	dev_t device;
};

static bool may_enter(void *context, uint64_t mount)
{
	const struct chosen *chosen = context;

	return mounts_may_enter(chosen->mounts.data, chosen->mounts.bytes, mount, major(chosen->device), minor(chosen->device));
}

int proc_open_chosen(int root, const char *path, dev_t device)
{
	struct chosen chosen = { .device = device };
	const struct rooted_border border = { may_enter, &chosen };
	int fd = mounts_read(&chosen.mounts);
	struct stat status;

	if (!fd)
		fd = open_named(rooted_open_within(root, path, &border), &status);
	buffer_free(&chosen.mounts);
	return fd;
}

bool proc_makes_up_devices(int fd)
{
	struct statfs status;

	return !fstatfs(fd, &status) && (status.f_type == BTRFS_SUPER_MAGIC || status.f_type == OVERLAYFS_SUPER_MAGIC ||
					 (uint32_t)status.f_type == BCACHEFS_SUPER_MAGIC);
}

/*
 * Closes fd unless it is the file of the mapping; exact: it was reached through the mapping itself, so that overlayfs
 * may show any inode.
 */
static int check_same(int fd, const struct proc_mapped *mapped, const struct stat *status, bool exact)
{
	if (fd < 0)
		return fd;
	if (status->st_ino == mapped->inode && status->st_dev == makedev(mapped->major, mapped->minor))
		return fd;
	if ((exact || status->st_ino == mapped->inode) && proc_makes_up_devices(fd))
		return fd;
	close(fd);
	return -ESTALE;
}

/* Since the line was read the file may have been deleted. */
static bool is_path(const char *target, const char *path)
{
	size_t bytes = strlen(path);

	return !strncmp(target, path, bytes) && (!target[bytes] || !strcmp(target + bytes, " (deleted)"));
}

/*
 * The kernel's own link to the mapped file needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, and works for files that were
 * renamed or deleted. Another process may have got the number since; the same path at the same addresses says that it
 * is the same one.
 */
static int open_link(uint32_t pid, const struct proc_mapped *mapped, struct stat *status)
{
	char path[128], target[PATH_BYTES_MOST + 1];
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%lx-%lx", pid, (unsigned long)mapped->start,
		 (unsigned long)mapped->end);
	bytes = readlink(path, target, sizeof(target) - 1);
	if (bytes < 0)
		return -errno;
	target[bytes] = '\0';
	fd = open(path, O_PATH | O_CLOEXEC);
	return check_same(open_named(fd < 0 ? -errno : fd, status), mapped, status, is_path(target, mapped->path));
}

static int open_path(uint32_t pid, const struct proc_mapped *mapped, struct stat *status)
{
	int root = proc_open_root(pid);
	int fd;

	if (root < 0)
		return root;
	fd = open_named(rooted_open(root, mapped->path), status);
	close(root);
	return check_same(fd, mapped, status, false);
}

int proc_open_mapped(uint32_t pid, const struct proc_mapped *mapped, struct stat *status)
{
	int fd = -ESRCH;

	if (mapped->path[0] != '/')
		return -ENOENT;
	if (pid)
		fd = open_link(pid, mapped, status);
	if (fd < 0 && pid)
		fd = open_path(pid, mapped, status);
	if (fd < 0)
		fd = open_path(0, mapped, status);
	return fd;
}

int proc_open_mapped_here(const struct proc_mapped *mapped, struct stat *status)
{
	int root = proc_open_root(0), fd;

	if (root < 0)
		return root;
	fd = proc_open_chosen(root, mapped->path, makedev(mapped->major, mapped->minor));
	close(root);
	if (fd >= 0 && fstat(fd, status)) {
		close(fd);
		fd = -ESTALE;
	}
	return check_same(fd, mapped, status, false);
}

static bool read_link(uint32_t pid, const char *name, char *target, size_t most)
{
	char path[64];
	ssize_t bytes;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	bytes = readlink(path, target, most - 1);
	if (bytes > 0)
		target[bytes] = '\0';
	return bytes > 0;
}

bool proc_runs(uint32_t pid, const char *executable)
{
	char target[PATH_BYTES_MOST + 1];

	return !executable || (read_link(pid, "exe", target, sizeof(target)) && is_path(target, executable));
}

/* Links are read, not followed: so no file system is asked. */
bool proc_has_our_paths(uint32_t pid)
{
	char ours[PATH_BYTES_MOST + 1], its[PATH_BYTES_MOST + 1];

	return read_link(0, "ns/mnt", ours, sizeof(ours)) && read_link(pid, "ns/mnt", its, sizeof(its)) && !strcmp(ours, its) &&
	       read_link(0, "root", ours, sizeof(ours)) && !strcmp(ours, "/") &&
	       read_link(pid, "root", its, sizeof(its)) && !strcmp(its, "/");
}

/* ------------------------------------------------------------------------------------------------ /proc text */

/*
 * Calls back for each line of a file of any length, in a fixed amount of memory; a line longer than that is left out.
 */
static int for_each_line(const char *path, size_t most, void (*use)(void *context, const char *line, size_t bytes),
			 void *context)
{
	size_t filled = 0, total = 0, room = 65536;
	bool skipping = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;
	char *data;

	if (fd < 0)
		return -errno;
	data = memory_zeroed(room, 1);
	for (;;) {
		ssize_t got = read(fd, data + filled, room - filled);
		char *line = data, *newline;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			error = -errno;
		if (got <= 0)
			break;
		filled += (size_t)got;
		total += (size_t)got;
		while ((newline = memchr(line, '\n', filled - (size_t)(line - data)))) {
			if (!skipping)
				use(context, line, (size_t)(newline + 1 - line));
			skipping = false;
			line = newline + 1;
		}
		filled -= (size_t)(line - data);
		memmove(data, line, filled);
		if (filled == room) {
			skipping = true;
			filled = 0;
		}
		if (total > most) {
			error = -EFBIG;
			break;
		}
	}
	free(data);
	close(fd);
	return error;
}

/*
 * "1234 (any ) name) S 1 ...": the name ends at the last parenthesis, and numbers follow. Those wanted here by their place in
 * proc_pid_stat(5), where the name is the second:
 */
#define STAT_NAME		2
#define STAT_START_TIME		22
#define STAT_ENVIRONMENT_START	50
#define STAT_ENVIRONMENT_END	51

static int parse_field(const char *after_name, unsigned int field, uint64_t *value)
{
	const char *at = after_name;
	char *end;

	for (unsigned int i = STAT_NAME; i < field; i++) {
		at = strchr(at, ' ');
		if (!at)
			return -EBADMSG;
		at++;
	}
	errno = 0;
	*value = strtoull(at, &end, 10);
	return errno || end == at || *end != ' ' ? -EBADMSG : 0;
}

static int parse_thread(char *text, uint64_t *ticks, char *comm, size_t most)
{
	char *name = strchr(text, '('), *rest = strrchr(text, ')');

	if (!name || !rest || rest < name)
		return -EBADMSG;
	*rest++ = '\0';
	snprintf(comm, most, "%s", name + 1);
	return parse_field(rest, STAT_START_TIME, ticks);
}

int proc_read_thread(uint32_t pid, uint32_t tid, uint64_t *ticks, char *comm, size_t most)
{
	struct buffer text = { 0 };
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
	error = buffer_read_file(&text, path, STAT_BYTES_MOST);
	if (!error)
		error = parse_thread(text.data, ticks, comm, most);
	buffer_free(&text);
	return error == -ENOENT ? -ESRCH : error;
}

static bool is_namespace(const struct stat *status, const struct stat *ours)
{
	return status->st_ino == ours->st_ino && status->st_dev == ours->st_dev;
}

/* The namespace that is open, and those that it is in, up to ours. Takes the descriptor. */
static uint32_t who_made(int namespace, const struct stat *ours, uint32_t user)
{
	const uint32_t first = user & ~(CONTAINER_USERS - 1);
	uint32_t result = user;
	struct stat status;
	uid_t maker;

	while (namespace >= 0 && !fstat(namespace, &status) && !is_namespace(&status, ours)) {
		int above = ioctl(namespace, NS_GET_PARENT);

		if (ioctl(namespace, NS_GET_OWNER_UID, &maker))
			maker = 0;
		if (maker || first)
			result = maker ? maker : first;
		close(namespace);
		namespace = above;
	}
	if (namespace >= 0)
		close(namespace);
	return result;
}

int proc_read_user(uint32_t pid, uint32_t *user)
{
	struct stat status, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u", pid);
	if (stat(path, &status))
		return -ESRCH;
	*user = status.st_uid;
	snprintf(path, sizeof(path), "/proc/%u/ns/user", pid);
	/* Who may not look there learns nothing of the process anyhow. */
	if (!stat("/proc/self/ns/user", &ours) && !stat(path, &status) && !is_namespace(&status, &ours))
		*user = who_made(open(path, O_RDONLY | O_CLOEXEC), &ours, *user);
	return 0;
}

bool proc_lacks_environment(uint32_t pid)
{
	struct buffer text = { 0 };
	uint64_t start, end;
	const char *rest;
	char path[64];
	bool lacks;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (buffer_read_file(&text, path, STAT_BYTES_MOST)) {
		buffer_free(&text);
		return false;
	}
	rest = strrchr(text.data, ')');
	lacks = rest && !parse_field(rest, STAT_ENVIRONMENT_START, &start) && !parse_field(rest, STAT_ENVIRONMENT_END, &end) &&
		start && start == end;
	buffer_free(&text);
	return lacks;
}

uint64_t proc_ticks(uint64_t nanoseconds)
{
	return nanoseconds / (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void keep_text_symbol(void *context, const char *line, size_t bytes)
{
	const char *space = memchr(line, ' ', bytes);

	if (space && (size_t)(space - line) + 2 < bytes && strchr("tTwW", space[1]))
		buffer_append(context, line, bytes);
}

int symbols_read_kernel(char **text, size_t *bytes)
{
	struct buffer buffer = { 0 };
	int error = for_each_line("/proc/kallsyms", KALLSYMS_BYTES_MOST, keep_text_symbol, &buffer);

	if (error) {
		buffer_free(&buffer);
		return error;
	}
	buffer_append(&buffer, "", 0);
	*text = buffer.data;
	*bytes = buffer.bytes;
	return 0;
}

static void keep_executable(void *context, const char *line, size_t bytes)
{
	struct buffer *buffer = context;
	struct mapping_line mapping;

	if (mappings_parse_line(line, bytes, &mapping) && mapping.executable &&
	    buffer->bytes + bytes <= MAPS_BYTES_KEPT_MOST)
		buffer_append(buffer, line, bytes);
}

static int read_executable(uint32_t pid, char *target, size_t most)
{
	char path[64];
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	bytes = readlink(path, target, most - 1);
	if (bytes < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	target[bytes] = '\0';
	return 0;
}

/* A process may execute another program between the two reads; then its name has changed after them. */
int symbols_read_mappings(uint32_t pid, char **executable, char **text, size_t *bytes)
{
	char path[64], before[PATH_BYTES_MOST + 1], after[PATH_BYTES_MOST + 1];

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	for (unsigned int attempt = 0; attempt < 3; attempt++) {
		struct buffer buffer = { 0 };
		int error = read_executable(pid, before, sizeof(before));

		if (error)
			return error;
		error = for_each_line(path, MAPS_BYTES_READ_MOST, keep_executable, &buffer);
		if (error == -ENOENT)
			error = -ESRCH;
		if (error == -EFBIG)
			error = 0;	/* the first 64 MiB of it are worth having */
		if (!error)
			error = read_executable(pid, after, sizeof(after));
		if (!error && !buffer.bytes)
			error = -ESRCH;
		if (!error && !strcmp(before, after)) {
			*executable = memory_string(after);
			*text = buffer.data;
			*bytes = buffer.bytes;
			return 0;
		}
		buffer_free(&buffer);
		if (error)
			return error;
	}
	return -EAGAIN;
}
