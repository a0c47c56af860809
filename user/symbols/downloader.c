// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/message.h"
#include "confine/capabilities.h"
#include "confine/descriptor.h"
#include "confine/filter.h"
#include "confine/landlock.h"
#include "symbols/downloader.h"
#include "symbols/elf.h"

#define PROGRESS_MS	1000

static int its_socket = -1;		/* -1: there is none */

/* ---- its own side ---- */

static int confine(const char *cache)
{
	int error = capabilities_keep(0);

	if (!error)
		error = landlock_write_below(cache);
	if (error == -ENOSYS || error == -EOPNOTSUPP) {
		message_info("without Landlock in this kernel the process that downloads may write wherever its user may");
		error = 0;
	}
	return error || !filter_exists() ? error : filter_apply(FILTER_DOWNLOADER);
}

/* Whoever asked has given up, or is gone: something comes, or the end does, before it was answered. */
static bool has_given_up(void *context)
{
	char byte;

	return recv(*(int *)context, &byte, 1, MSG_DONTWAIT) >= 0;
}

static void serve(int socket, downloader_find *find)
{
	uint8_t build_id[ELF_BUILD_ID_MOST];
	ssize_t bytes;

	while ((bytes = recv(socket, build_id, sizeof(build_id), 0)) > 0 || (bytes < 0 && errno == EINTR)) {
		int found;

		/* That it was given up may come too late. */
		if (bytes < 2)
			continue;
		found = find(build_id, (size_t)bytes, has_given_up, &socket);
		if (descriptor_send(socket, found))
			break;
		if (found > 0)
			close(found);
	}
}

/* ---- the asking side ---- */

int downloader_start(downloader_find *find, const char *cache)
{
	int sockets[2], error;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	child = fork();
	if (!child) {
		close(sockets[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "ktally-download");
		error = confine(cache);
		if (!descriptor_send(sockets[1], error) && !error)
			serve(sockets[1], find);
		_exit(0);
	}
	error = child < 0 ? -errno : 0;
	close(sockets[1]);
	if (!error)
		error = descriptor_receive(sockets[0]);
	if (error)
		close(sockets[0]);
	else
		its_socket = sockets[0];
	return error;
}

bool downloader_is_there(void)
{
	return its_socket >= 0;
}

int downloader_ask(const uint8_t *build_id, size_t build_id_bytes, download_progress *progress, void *context)
{
	struct pollfd answer = { .fd = its_socket, .events = POLLIN };
	bool given_up = false;

	if (send(its_socket, build_id, build_id_bytes, MSG_NOSIGNAL) < 0)
		return -ENOTCONN;
	while (!poll(&answer, 1, PROGRESS_MS)) {
		if (!given_up && progress && progress(context))
			given_up = send(its_socket, "", 1, MSG_NOSIGNAL) == 1;
	}
	return descriptor_receive(its_socket);
}
