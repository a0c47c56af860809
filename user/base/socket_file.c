// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/socket_file.h"

#define CONNECTIONS_WAITING	8

/* Beside the socket, while one is looked for and made, which takes no time. */
#define LOCK			".lock"
#define LOCK_MS			2000

static int address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int socket_file_connect(const char *path, int type)
{
	struct sockaddr_un address;
	int fd, error = address_of(path, &address);

	if (error)
		return error;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* Who had it removes it, and then it is the lock of nobody. */
static bool is_at(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !lstat(path, &there) && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* Not to wait for ever where others can make files, too. */
static int lock(const char *path)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < LOCK_MS; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (!flock(fd, LOCK_EX | LOCK_NB) && is_at(fd, path))
			return fd;
		close(fd);
		nanosleep(&moment, NULL);
	}
	return -EADDRINUSE;
}

/* The socket of one that was killed stays behind, and nobody answers there. */
static int clear(const char *path, int type)
{
	struct stat status;
	int fd;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket_file_connect(path, type);
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(path) ? -errno : 0;
}

static int bind_to(int fd, const struct sockaddr_un *address, mode_t mode)
{
	/* From its first moment on only those can connect who may. */
	mode_t former = umask(~mode & 0777);
	int error = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(former);
	return error;
}

static int make(const struct sockaddr_un *address, int type, mode_t mode, gid_t group, struct stat *file)
{
	const char *path = address->sun_path;
	int fd, error = clear(path, type);

	if (error)
		return error;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = bind_to(fd, address, mode);
	if (!error) {
		if (lstat(path, file) || (group != (gid_t)-1 && chown(path, (uid_t)-1, group)) || listen(fd, CONNECTIONS_WAITING))
			error = -errno;
		if (error)
			unlink(path);
	}
	if (!error)
		return fd;
	close(fd);
	return error;
}

/*
 * Until it listens, a socket answers as one does that was left behind, and who starts in the same instant would take it for such: so only
 * one at a time looks at what is there, and makes his own.
 */
int socket_file_listen(const char *path, int type, mode_t mode, gid_t group, struct stat *file)
{
	char lock_path[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(LOCK)];
	struct sockaddr_un address;
	int locked, result = address_of(path, &address);

	if (result)
		return result;
	snprintf(lock_path, sizeof(lock_path), "%s" LOCK, path);
	locked = lock(lock_path);
	if (locked < 0)
		return locked;
	result = make(&address, type, mode, group, file);
	unlink(lock_path);
	close(locked);
	return result;
}

void socket_file_remove(const char *path, const struct stat *file)
{
	struct stat status;

	if (!lstat(path, &status) && status.st_dev == file->st_dev && status.st_ino == file->st_ino)
		unlink(path);
}
