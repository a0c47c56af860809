// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/socket_file.h"

#define CONNECTIONS_WAITING	8

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

int socket_file_listen(const char *path, int type, mode_t mode, gid_t group, struct stat *file)
{
	struct sockaddr_un address;
	int fd, error = address_of(path, &address);

	if (!error)
		error = clear(path, type);
	if (error)
		return error;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = bind_to(fd, &address, mode);
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

void socket_file_remove(const char *path, const struct stat *file)
{
	struct stat status;

	if (!lstat(path, &status) && status.st_dev == file->st_dev && status.st_ino == file->st_ino)
		unlink(path);
}
