// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"
#include "daemon/notify.h"

void notify(const char *format, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char text[1024];
	size_t path_bytes;
	va_list arguments;
	int fd, length;

	if (!path || (*path != '/' && *path != '@'))
		return;
	path_bytes = strlen(path);
	if (path_bytes >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, path_bytes);
	if (*path == '@')
		address.sun_path[0] = '\0';

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length <= 0)
		return;
	if ((size_t)length >= sizeof(text))
		length = sizeof(text) - 1;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* A manager that does not listen misses it: there is nobody else to tell. */
	sendto(fd, text, (size_t)length, MSG_NOSIGNAL, (struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_bytes));
	close(fd);
}

uint64_t notify_watchdog_interval(void)
{
	const char *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t value;

	if (!microseconds || number_parse(microseconds, 2000, UINT64_MAX, &value))
		return 0;
	if (pid) {
		uint64_t whom;

		if (number_parse(pid, 1, INT32_MAX, &whom) || whom != (uint64_t)getpid())
			return 0;
	}
	return value / 2000;
}
