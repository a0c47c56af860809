// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/magic.h>

#include "confine/capabilities.h"
#include "confine/descriptor.h"
#include "confine/filter.h"
#include "confine/opener.h"

#define NAMES_MOST	8
#define FLAGS_ALWAYS	(O_CLOEXEC | O_NOCTTY)

struct request {
	int number;			/* of a name; -1: a child is to be sacrificed */
	pid_t child;
};

static struct {
	const char *path;
	int flags;
} names[NAMES_MOST];

static int name_count;
static pid_t process;			/* the opener's; 0: there is none */
static int its_socket = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void opener_name(const char *path, int flags)
{
	if (!path || name_count == NAMES_MOST)
		return;
	names[name_count].path = path;
	names[name_count++].flags = flags | FLAGS_ALWAYS;
}

/* ---- the opener's side, and where there is none, our own ---- */

/* The fourth field of /proc/PID/stat, behind a name that may have anything in it. */
static bool is_child_of(pid_t child, pid_t parent)
{
	char path[64], text[1024], *rest;
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bytes = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	rest = strrchr(text, ')');
	return rest && strlen(rest) > 4 && strtol(rest + 4, NULL, 10) == parent;
}

static int sacrifice(pid_t child, pid_t parent)
{
	char path[64];
	int fd, error = 0;

	if (child <= 0 || !is_child_of(child, parent))
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", child);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, "1000", 4) != 4)
		error = -errno;
	close(fd);
	return error;
}

/* A path that was named may lead somewhere else by now, by a link; but not to other processes, nor to the kernel's settings. */
static int open_named(const char *path, int flags)
{
	int fd = open(path, flags, 0600), error;
	struct statfs status;

	if (fd < 0)
		return -errno;
	error = fstatfs(fd, &status) ? -errno : 0;
	if (!error && status.f_type != PROC_SUPER_MAGIC)
		return fd;
	close(fd);
	return error ? error : -EPERM;
}

static int answer(int socket, const struct request *request)
{
	int result = -EINVAL, error;

	if (request->number == -1)
		result = sacrifice(request->child, getppid());
	else if (request->number >= 0 && request->number < name_count)
		result = open_named(names[request->number].path, names[request->number].flags);
	error = descriptor_send(socket, result);
	if (result > 0)
		close(result);
	return error;
}

static void serve(int socket)
{
	struct request request;
	ssize_t bytes;

	while ((bytes = recv(socket, &request, sizeof(request), 0)) > 0 || (bytes < 0 && errno == EINTR)) {
		if (bytes == sizeof(request) && answer(socket, &request))
			break;
	}
}

/* ---- the asking side ---- */

int opener_start(void)
{
	int sockets[2], error;

	if (!name_count)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	process = fork();
	if (!process) {
		close(sockets[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "ktally-opener");
		error = capabilities_keep(CAPABILITY(CAP_PERFMON));
		if (!error)
			error = filter_apply(FILTER_OPENER);
		if (!descriptor_send(sockets[1], error))
			serve(sockets[1]);
		_exit(0);
	}
	error = process < 0 ? -errno : 0;
	close(sockets[1]);
	its_socket = sockets[0];
	if (!error)
		error = descriptor_receive(its_socket);
	if (error)
		opener_end();
	return error;
}

static int ask(int number, pid_t child)
{
	const struct request request = { number, child };
	int result;

	pthread_mutex_lock(&lock);
	result = send(its_socket, &request, sizeof(request), MSG_NOSIGNAL) < 0 ? -errno : descriptor_receive(its_socket);
	pthread_mutex_unlock(&lock);
	return result;
}

int opener_open(const char *path, int flags, mode_t mode)
{
	int fd;

	flags |= FLAGS_ALWAYS;
	if (flags & O_CREAT && process) {
		fd = open(path, flags | O_EXCL, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	for (int i = 0; process && i < name_count; i++) {
		if (names[i].flags == flags && !strcmp(names[i].path, path))
			return ask(i, 0);
	}
	fd = open(path, flags, mode);
	return fd < 0 ? -errno : fd;
}

int opener_sacrifice(pid_t child)
{
	return process ? ask(-1, child) : sacrifice(child, getpid());
}

void opener_end(void)
{
	if (its_socket >= 0)
		close(its_socket);
	its_socket = -1;
	while (process > 0 && waitpid(process, NULL, 0) < 0 && errno == EINTR)
		;
	process = 0;
}
