// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/rooted.h"

#define LINKS_MOST	40		/* as in the kernel */
#define STEPS_MOST	4096		/* look-ups: each ".." walks the path so far again */

struct walk {
	int root;
	int at;				/* where the walk is; -1: at the root */
	char walked[PATH_MAX];		/* to there, without links and "..": "usr/lib" */
	char left[PATH_MAX];		/* from there */
	unsigned int links, steps;
	const struct rooted_border *border;	/* then links and ".." are not followed; NULL: anywhere */
	uint64_t mount;			/* the last one that might be entered */
};

static void go_to_root(struct walk *walk)
{
	if (walk->at >= 0)
		close(walk->at);
	walk->at = -1;
}

/* Moves to what is called `name` here, which is no link. */
static int enter(struct walk *walk, int fd)
{
	go_to_root(walk);
	walk->at = fd;
	return 0;
}

/* What the kernel has of it without asking anybody. */
static int look_within(struct walk *walk, int fd, mode_t *mode)
{
	const struct rooted_border *border = walk->border;
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &status))
		return -errno;
	*mode = status.stx_mode;
	if (!(status.stx_mask & STATX_MNT_ID))
		return -EXDEV;
	if (status.stx_mnt_id != walk->mount && !border->may_enter(border->context, status.stx_mnt_id))
		return -EXDEV;
	walk->mount = status.stx_mnt_id;
	return 0;
}

static int look(struct walk *walk, int fd, mode_t *mode)
{
	struct stat status;

	if (walk->border)
		return look_within(walk, fd, mode);
	if (fstat(fd, &status))
		return -errno;
	*mode = status.st_mode;
	return 0;
}

static int look_up(struct walk *walk, const char *name, mode_t *mode)
{
	int fd, error;

	if (++walk->steps > STEPS_MOST)
		return -ELOOP;
	fd = openat(walk->at < 0 ? walk->root : walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = look(walk, fd, mode);
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* What is left begins with the link's text from here on. */
static int follow(struct walk *walk, int link, const char *rest)
{
	size_t more = strlen(rest);
	char left[PATH_MAX];
	ssize_t bytes;

	if (walk->border || ++walk->links > LINKS_MOST)
		return -ELOOP;
	bytes = readlinkat(link, "", left, sizeof(left) - 1);
	if (bytes < 0)
		return -errno;
	if (!bytes)
		return -ENOENT;
	if ((size_t)bytes + 1 + more >= sizeof(left))
		return -ENAMETOOLONG;
	left[bytes] = '/';
	memcpy(left + bytes + 1, rest, more + 1);
	if (left[0] == '/') {
		go_to_root(walk);
		walk->walked[0] = '\0';
	}
	memcpy(walk->left, left, (size_t)bytes + more + 2);
	return 0;
}

static int append(struct walk *walk, const char *name)
{
	size_t walked = strlen(walk->walked), bytes = strlen(name);

	if (walked + 1 + bytes >= sizeof(walk->walked))
		return -ENAMETOOLONG;
	walk->walked[walked] = '/';
	memcpy(walk->walked + walked + 1, name, bytes + 1);
	return 0;
}

static int step(struct walk *walk, const char *name, const char *rest)
{
	mode_t mode;
	int fd = look_up(walk, name, &mode), error;

	if (fd < 0)
		return fd;
	if (S_ISLNK(mode)) {
		error = follow(walk, fd, rest);
		close(fd);
		return error;
	}
	memmove(walk->left, rest, strlen(rest) + 1);
	error = append(walk, name);
	if (!error)
		return enter(walk, fd);
	close(fd);
	return error;
}

/* Takes the first component off a path, which stays whole: its name goes to `name`. False: there is none. */
static bool take_name(const char **path, char name[NAME_MAX + 2])
{
	const char *begin = *path + strspn(*path, "/");
	size_t bytes = strcspn(begin, "/");
	/* One byte more than any name may have is for the kernel to refuse. */
	size_t kept = bytes <= NAME_MAX ? bytes : NAME_MAX + 1;

	memcpy(name, begin, kept);
	name[kept] = '\0';
	*path = begin + bytes;
	return bytes;
}

/* The root is its own parent. A name that has become a link meanwhile is not what was walked. */
static int go_up(struct walk *walk)
{
	char *last = strrchr(walk->walked, '/'), name[NAME_MAX + 2];
	const char *path = walk->walked;
	mode_t mode;

	if (walk->border)
		return -ELOOP;
	if (last)
		*last = '\0';
	go_to_root(walk);
	while (take_name(&path, name)) {
		int fd = look_up(walk, name, &mode);

		if (fd < 0)
			return fd;
		enter(walk, fd);
		if (!S_ISDIR(mode))
			return -ENOTDIR;
	}
	return 0;
}

static int walk_to(int root, const char *path, const struct rooted_border *border)
{
	struct walk walk = { .root = root, .at = -1, .border = border };
	char name[NAME_MAX + 2];
	const char *rest;
	int error = 0;

	if (!*path)
		return -ENOENT;
	if (strlen(path) >= sizeof(walk.left))
		return -ENAMETOOLONG;
	strcpy(walk.left, path);
	for (rest = walk.left; !error && take_name(&rest, name); rest = walk.left) {
		if (!strcmp(name, ".") || !strcmp(name, "..")) {
			memmove(walk.left, rest, strlen(rest) + 1);
			error = name[1] ? go_up(&walk) : 0;
		} else {
			error = step(&walk, name, rest);
		}
	}
	if (!error && walk.at < 0) {
		walk.at = fcntl(root, F_DUPFD_CLOEXEC, 0);
		error = walk.at < 0 ? -errno : 0;
	}
	if (!error)
		return walk.at;
	go_to_root(&walk);
	return error;
}

int rooted_open(int root, const char *path)
{
	return walk_to(root, path, NULL);
}

int rooted_open_within(int root, const char *path, const struct rooted_border *border)
{
	return walk_to(root, path, border);
}
