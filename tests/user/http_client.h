/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the HTTP server, in the server's loop. */
#ifndef KTALLY_TEST_HTTP_CLIENT_H
#define KTALLY_TEST_HTTP_CLIENT_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "loop/loop.h"

/* What every request ends with. */
#define LINES "Host: localhost\r\n\r\n"

static struct {
	struct loop *loop;
	uint16_t port;			/* of 127.0.0.1 */
} client;

static inline void expired(void *context)
{
	*(bool *)context = true;
}

static inline void turn_for(uint64_t milliseconds)
{
	bool is_over = false;
	struct loop_timer timer = { .expired = expired, .context = &is_over };

	loop_timer_set(client.loop, &timer, milliseconds);
	while (!is_over)
		loop_turn(client.loop);
}

static inline int connected(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(client.port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("connect");
		exit(1);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static inline void put(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		perror("send");
}

/* What comes within so many ms, up to an end that is there: the whole answer by its length, or the connection's. To be freed. */
static inline char *got(int fd, uint64_t milliseconds, bool *closed)
{
	struct buffer text = { 0 };
	uint64_t end = loop_now() + milliseconds * 1000000;

	buffer_string(&text, "");
	*closed = false;
	while (loop_now() < end && !*closed) {
		char piece[65536];
		ssize_t bytes = recv(fd, piece, sizeof(piece), 0);
		const char *length, *body;

		if (bytes > 0)
			buffer_append(&text, piece, (size_t)bytes);
		*closed = bytes == 0 || (bytes < 0 && errno != EAGAIN);
		length = strstr(text.data, "Content-Length: ");
		body = strstr(text.data, "\r\n\r\n");
		if (bytes <= 0 && length && body && strlen(body + 4) >= strtoul(length + 16, NULL, 10) && strstr(text.data, "keep-alive"))
			break;
		turn_for(1);
	}
	return text.data;
}

#endif
