/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small HTTP/1.1 server within the loop: GET and HEAD of what is in memory, and nothing else.
 *
 * It is our own and not libmicrohttpd, which would do it too, because what it has to do is so little, and because of where it
 * runs: in a daemon that sees all processes, with everybody on the host able to connect. That library brings chunked uploads, POST
 * parsers, digest authentication and a TLS library with all its parsers into this process, and its own epoll descriptor and idea
 * of time below our loop. Here the whole input is one parser of a request's head (http_request.h, fuzzed), and everything has a
 * bound that can be read off below:
 *
 * Memory: HTTP_CONNECTIONS_MOST connections, each with a buffer for one head. Who comes when all are in use takes the place of the
 * one that has idled longest, else waits in the kernel's queue. Time: a request must be complete, and its answer be taken, within
 * a time; a connection idles no longer than is usual between scrapes. Work: whatever clients do, it gets so much of it in a
 * second, and then sockets are not looked at until the next. So the worst that somebody can do to the daemon is to make others wait.
 *
 * There is no TLS; on another address than loopback a proxy has to see to that. Answers are not compressed: on loopback that would cost
 * more than it saves.
 */
#ifndef KTALLY_HTTP_SERVER_H
#define KTALLY_HTTP_SERVER_H

#include <sys/socket.h>

#include "base/buffer.h"
#include "daemon/http_request.h"
#include "loop/loop.h"

#define HTTP_CONNECTIONS_MOST	8
#define HTTP_REQUEST_BYTES_MOST	8192
#define HTTP_REQUEST_MS		5000	/* from its first byte, or from the connection's begin, to its end */
#define HTTP_ANSWER_MS		10000	/* to take it */
#define HTTP_IDLE_MS		130000	/* between requests: scrapes are rarely two minutes apart */
#define HTTP_LINGER_MS		1000	/* for the client to see an answer before which it was not listened to */
#define HTTP_WORK_MOST		200	/* in a second: a connection or a read is one, an answer is HTTP_WORK_ANSWER */
#define HTTP_WORK_ANSWER	10

/* What goes out, and how many connections are sending it: it must stay as it is meanwhile. */
struct http_body {
	struct buffer text;
	unsigned int users;
};

struct http_answer {
	int status;
	const char *type;		/* of the body */
	struct http_body *body;		/* NULL: a line that tells the status and `why` */
	const char *why;		/* may be NULL */
};

typedef void http_answerer(void *context, const struct http_request *request, struct http_answer *answer);

struct http_server;

/*
 * "PORT", "ADDRESS:PORT", "[ADDRESS]:PORT"; the address is numeric or "localhost", and 127.0.0.1 when there is none; or "unix:/PATH". 0
 * or -EINVAL.
 */
int http_address_parse(const char *text, struct sockaddr_storage *address);
bool http_address_is_loopback(const struct sockaddr_storage *address);
unsigned int http_address_port(const struct sockaddr_storage *address);	/* 0: of a path */
const char *http_address_path(const struct sockaddr_storage *address);		/* NULL: it is no path */

/* group: whose members may connect to a path besides its owner, (gid_t)-1: nobody. 0 or -errno, as socket_file_listen() has them. */
int http_server_create(struct http_server **server, struct loop *loop, const struct sockaddr_storage *address, gid_t group,
		       http_answerer *answerer, void *context);
void http_server_destroy(struct http_server *server);

const char *http_server_name(const struct http_server *server);	/* "127.0.0.1:9464", with the port that it got; or the path */

#endif
