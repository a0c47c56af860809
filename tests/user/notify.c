// SPDX-License-Identifier: GPL-2.0-or-later
/* What the service manager hears. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "daemon/notify.h"

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0';
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)))) {
		perror("bind");
		exit(1);
	}
	return fd;
}

static const char *heard(int fd)
{
	static char text[2048];
	ssize_t bytes = recv(fd, text, sizeof(text) - 1, 0);

	if (bytes < 0)
		return NULL;
	text[bytes] = '\0';
	return text;
}

static void test_socket(const char *path)
{
	char longest[3000];
	int fd = listen_at(path);

	setenv("NOTIFY_SOCKET", path, 1);
	notify("READY=1\nSTATUS=%d Hz", 19);
	check_string(heard(fd), "READY=1\nSTATUS=19 Hz", "%s hears it", *path == '@' ? "an abstract socket" : "a socket in the file system");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	notify("STATUS=%s", longest);
	check_number(strlen(heard(fd)), 1023, "what is too long is cut");
	close(fd);
	notify("STATUS=nobody listens");
}

static void test_watchdog(const char *microseconds, const char *pid, uint64_t wanted)
{
	microseconds ? setenv("WATCHDOG_USEC", microseconds, 1) : unsetenv("WATCHDOG_USEC");
	pid ? setenv("WATCHDOG_PID", pid, 1) : unsetenv("WATCHDOG_PID");
	check_number(notify_watchdog_interval(), wanted, "watchdog of %s us for process %s", microseconds ? microseconds : "no",
		     pid ? pid : "any");
}

int main(void)
{
	char path[64], name[64], own[16];
	int fd;

	snprintf(path, sizeof(path), "/tmp/ktally-notify-%d", getpid());
	snprintf(name, sizeof(name), "@ktally-notify-%d", getpid());
	snprintf(own, sizeof(own), "%d", getpid());
	test_socket(path);
	unlink(path);
	test_socket(name);

	fd = listen_at(path);
	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	check_string(heard(fd), NULL, "without a service manager nothing is sent");
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	notify("READY=1");
	check_string(heard(fd), NULL, "nor to what is no socket of this host");
	unlink(path);
	close(fd);

	test_watchdog(NULL, NULL, 0);
	test_watchdog("60000000", NULL, 30000);
	test_watchdog("60000000", own, 30000);
	test_watchdog("60000000", "1", 0);
	test_watchdog("60000000", "x", 0);
	test_watchdog("0", NULL, 0);
	test_watchdog("soon", NULL, 0);
	return check_end();
}
