// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/message.h"
#include "base/socket_file.h"
#include "daemon/http_server.h"

#define SECOND_MS 1000

enum stage {
	FREE,
	IDLE,				/* nothing of the next request is there */
	READING,
	ANSWERING,
	LINGERING,			/* all is said: what still comes is thrown away, up to the client's end */
};

struct connection {
	struct http_server *server;
	enum stage stage;
	int fd, watch;
	uint64_t since;			/* it idles */
	struct loop_timer timer;	/* it ends */
	bool keeps;
	size_t read_bytes;
	char request[HTTP_REQUEST_BYTES_MOST];
	char head[512];			/* of the answer, with a short body */
	size_t head_bytes, sent;	/* sent: of head and body */
	struct http_body *body;		/* NULL: none */
	size_t body_bytes;
};

struct http_server {
	struct loop *loop;
	http_answerer *answerer;
	void *context;
	int fd, watch;
	bool is_local;			/* on loopback */
	bool rests;			/* work is used up: no socket is looked at */
	unsigned int work;
	struct loop_timer pace;
	char name[sizeof(struct sockaddr_un)];
	struct stat file;		/* of a path */
	struct connection connections[HTTP_CONNECTIONS_MOST];
};

static void on_listener(void *context, short events);
static void on_socket(void *context, short events);

/* ---- what is watched ---- */

static bool is_full(const struct http_server *server)
{
	for (size_t i = 0; i < HTTP_CONNECTIONS_MOST; i++) {
		if (server->connections[i].stage == FREE || server->connections[i].stage == IDLE)
			return false;
	}
	return true;
}

static void unwatch(struct http_server *server, int *watch)
{
	if (*watch >= 0)
		loop_unwatch(server->loop, *watch);
	*watch = -1;
}

static void watch_listener(struct http_server *server)
{
	bool wanted = !server->rests && !is_full(server);

	if (wanted && server->watch < 0)
		server->watch = loop_watch(server->loop, server->fd, POLLIN, LOOP_LEVEL, on_listener, server);
	else if (!wanted)
		unwatch(server, &server->watch);
}

static void watch_connection(struct connection *connection)
{
	struct http_server *server = connection->server;
	short events = connection->stage == ANSWERING ? POLLOUT : POLLIN;

	unwatch(server, &connection->watch);
	if (!server->rests && connection->stage != FREE)
		connection->watch = loop_watch(server->loop, connection->fd, events, LOOP_LEVEL, on_socket, connection);
}

static void watch_all(struct http_server *server)
{
	for (size_t i = 0; i < HTTP_CONNECTIONS_MOST; i++)
		watch_connection(&server->connections[i]);
	watch_listener(server);
}

/* ---- pace ---- */

static void on_pace(void *context)
{
	struct http_server *server = context;

	server->work = 0;
	if (!server->rests)
		return;
	server->rests = false;
	watch_all(server);
}

static void work(struct http_server *server, unsigned int amount)
{
	if (!server->work)
		loop_timer_set(server->loop, &server->pace, SECOND_MS);
	server->work += amount;
	if (server->work < HTTP_WORK_MOST || server->rests)
		return;
	server->rests = true;
	watch_all(server);
}

/* ---- a connection's stages ---- */

static void release_body(struct connection *connection)
{
	if (connection->body)
		connection->body->users--;
	connection->body = NULL;
}

static void end(struct connection *connection)
{
	release_body(connection);
	loop_timer_cancel(connection->server->loop, &connection->timer);
	connection->stage = FREE;
	unwatch(connection->server, &connection->watch);
	/* A request of io_uring may hold the socket a little longer: the client need not wait for that. */
	shutdown(connection->fd, SHUT_RDWR);
	close(connection->fd);
	watch_listener(connection->server);
}

static void on_timeout(void *context)
{
	end(context);
}

static void enter(struct connection *connection, enum stage stage, uint64_t milliseconds)
{
	connection->stage = stage;
	if (stage == IDLE)
		connection->since = loop_now();
	loop_timer_set(connection->server->loop, &connection->timer, milliseconds);
	watch_connection(connection);
	watch_listener(connection->server);
}

static void linger(struct connection *connection)
{
	shutdown(connection->fd, SHUT_WR);
	enter(connection, LINGERING, HTTP_LINGER_MS);
}

/* ---- answers ---- */

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ HTTP_OK, "OK" },
		{ HTTP_BAD_REQUEST, "Bad Request" },
		{ HTTP_UNAUTHORIZED, "Unauthorized" },
		{ HTTP_NOT_FOUND, "Not Found" },
		{ HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed" },
		{ HTTP_CONTENT_TOO_LARGE, "Content Too Large" },
		{ HTTP_MISDIRECTED, "Misdirected Request" },
		{ HTTP_HEAD_TOO_LARGE, "Request Header Fields Too Large" },
		{ HTTP_VERSION_NOT_SUPPORTED, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Internal Server Error";
}

/* Headers that some answers have to have. */
static const char *more_of(int status)
{
	if (status == HTTP_UNAUTHORIZED)
		return "WWW-Authenticate: Bearer realm=\"ktally\"\r\n";
	return status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "";
}

static void begin_answer(struct connection *connection, const struct http_answer *answer, bool is_head)
{
	const char *reason = reason_of(answer->status);
	char line[160];
	size_t line_bytes, bytes;
	int length;

	line_bytes = (size_t)snprintf(line, sizeof(line), "%d %s%s%s\n", answer->status, reason, answer->why ? ": " : "",
				      answer->why ? answer->why : "");
	bytes = answer->body ? answer->body->text.bytes : line_bytes;
	length = snprintf(connection->head, sizeof(connection->head),
			  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
			  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: %s\r\n\r\n%s",
			  answer->status, reason, answer->body ? answer->type : "text/plain; charset=utf-8", bytes,
			  more_of(answer->status),
			  connection->keeps ? "keep-alive" : "close", answer->body || is_head ? "" : line);
	connection->head_bytes = (size_t)length;
	connection->sent = 0;
	if (answer->body && !is_head) {
		connection->body = answer->body;
		connection->body->users++;
	}
	connection->body_bytes = connection->body ? bytes : 0;
	enter(connection, ANSWERING, HTTP_ANSWER_MS);
}

static void refuse(struct connection *connection, int status)
{
	const struct http_answer answer = { .status = status };

	connection->keeps = false;
	begin_answer(connection, &answer, false);
}

/* One call each time that there is room, so that others have theirs. */
static void send_some(struct connection *connection)
{
	size_t head_sent = connection->sent < connection->head_bytes ? connection->sent : connection->head_bytes;
	size_t body_sent = connection->sent - head_sent;
	struct iovec pieces[2] = {
		{ connection->head + head_sent, connection->head_bytes - head_sent },
		{ connection->body ? connection->body->text.data + body_sent : NULL, connection->body_bytes - body_sent },
	};
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
	ssize_t bytes = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (bytes < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end(connection);
		return;
	}
	connection->sent += (size_t)bytes;
	if (connection->sent < connection->head_bytes + connection->body_bytes)
		return;
	release_body(connection);
	if (connection->keeps)
		enter(connection, IDLE, HTTP_IDLE_MS);
	else
		linger(connection);
}

/* ---- requests ---- */

static void answer_request(struct connection *connection, const struct http_request *request)
{
	struct http_server *server = connection->server;
	struct http_answer answer = { .status = HTTP_NOT_FOUND };

	work(server, HTTP_WORK_ANSWER);
	connection->keeps = request->keeps;
	if (server->is_local && !http_host_is_local(request->host)) {
		answer.status = HTTP_MISDIRECTED;
		answer.why = "this address answers to localhost and to numeric addresses only";
	} else {
		server->answerer(server->context, request, &answer);
	}
	begin_answer(connection, &answer, request->is_head);
}

static void read_some(struct connection *connection)
{
	size_t room = sizeof(connection->request) - connection->read_bytes;
	ssize_t bytes = recv(connection->fd, connection->request + connection->read_bytes, room, MSG_DONTWAIT);
	struct http_request request;
	long head_bytes;

	if (bytes <= 0) {
		if (bytes == 0 || (errno != EAGAIN && errno != EINTR))
			end(connection);
		return;
	}
	work(connection->server, 1);
	connection->read_bytes += (size_t)bytes;
	head_bytes = http_request_read(&request, connection->request, connection->read_bytes);
	if (!head_bytes && connection->read_bytes == sizeof(connection->request))
		head_bytes = -HTTP_HEAD_TOO_LARGE;
	if (!head_bytes) {
		if (connection->stage == IDLE)
			enter(connection, READING, HTTP_REQUEST_MS);
		return;
	}
	/* Requests that are sent without waiting for answers get one answer; who sends them has to see to the rest. */
	if (head_bytes > 0 && (size_t)head_bytes < connection->read_bytes)
		request.keeps = false;
	connection->read_bytes = 0;
	if (head_bytes > 0)
		answer_request(connection, &request);
	else
		refuse(connection, (int)-head_bytes);
}

static void discard_some(struct connection *connection)
{
	ssize_t bytes = recv(connection->fd, connection->request, sizeof(connection->request), MSG_DONTWAIT);

	if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR))
		end(connection);
	else
		work(connection->server, 1);
}

static void on_socket(void *context, short events)
{
	struct connection *connection = context;

	(void)events;			/* an error comes out of reading or writing */
	if (connection->stage == ANSWERING)
		send_some(connection);
	else if (connection->stage == LINGERING)
		discard_some(connection);
	else
		read_some(connection);
}

/* ---- connections ---- */

/* NULL: all are at work. */
static struct connection *make_place(struct http_server *server)
{
	struct connection *longest = NULL;

	for (size_t i = 0; i < HTTP_CONNECTIONS_MOST; i++) {
		struct connection *connection = &server->connections[i];

		if (connection->stage == FREE)
			return connection;
		if (connection->stage == IDLE && (!longest || connection->since < longest->since))
			longest = connection;
	}
	if (longest)
		end(longest);
	return longest;
}

static void on_listener(void *context, short events)
{
	struct http_server *server = context;
	struct connection *connection;
	int fd;

	(void)events;
	work(server, 1);
	fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* Without descriptors or memory it would be asked for at once again. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			work(server, HTTP_WORK_MOST);
		return;
	}
	connection = make_place(server);
	if (!connection) {
		close(fd);
		return;
	}
	connection->fd = fd;
	connection->read_bytes = 0;
	/* Not idle: who only connects has as little time as who sends a request byte by byte. */
	enter(connection, READING, HTTP_REQUEST_MS);
}

/* ---- making and unmaking ---- */

static void name_server(struct http_server *server)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t bytes = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";
	const bool is_v6 = !getsockname(server->fd, (struct sockaddr *)&address, &bytes) && address.ss_family == AF_INET6;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address;

	inet_ntop(address.ss_family, is_v6 ? (void *)&((struct sockaddr_in6 *)&address)->sin6_addr : (void *)&in->sin_addr, host,
		  sizeof(host));
	snprintf(server->name, sizeof(server->name), is_v6 ? "[%s]:%u" : "%s:%u", host, ntohs(in->sin_port));
}

static int open_path(struct http_server *server, const char *path, gid_t group)
{
	const mode_t mode = group == (gid_t)-1 ? 0600 : 0660;

	server->fd = socket_file_listen(path, SOCK_STREAM | SOCK_NONBLOCK, mode, group, &server->file);
	if (server->fd < 0)
		return server->fd;
	snprintf(server->name, sizeof(server->name), "%s", path);
	return 0;
}

static int open_port(struct http_server *server, const struct sockaddr_storage *address)
{
	socklen_t bytes = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	const int yes = 1;

	server->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->fd < 0)
		return -errno;
	/* The port is free at once when the daemon is started again. */
	if (setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(server->fd, (const struct sockaddr *)address, bytes) || listen(server->fd, HTTP_CONNECTIONS_MOST))
		return -errno;
	name_server(server);
	return 0;
}

int http_server_create(struct http_server **result, struct loop *loop, const struct sockaddr_storage *address, gid_t group,
		       http_answerer *answerer, void *context)
{
	struct http_server *server = memory_zeroed(1, sizeof(*server));
	const char *path = http_address_path(address);
	int error;

	server->loop = loop;
	server->answerer = answerer;
	server->context = context;
	server->watch = -1;
	server->is_local = http_address_is_loopback(address);
	server->pace = (struct loop_timer){ .expired = on_pace, .context = server };
	for (size_t i = 0; i < HTTP_CONNECTIONS_MOST; i++) {
		server->connections[i].server = server;
		server->connections[i].watch = -1;
		server->connections[i].timer = (struct loop_timer){ .expired = on_timeout, .context = &server->connections[i] };
	}
	error = path ? open_path(server, path, group) : open_port(server, address);
	if (error) {
		http_server_destroy(server);
		return error;
	}
	watch_listener(server);
	*result = server;
	return 0;
}

void http_server_destroy(struct http_server *server)
{
	if (!server)
		return;
	server->rests = true;		/* nothing is watched any more */
	for (size_t i = 0; i < HTTP_CONNECTIONS_MOST; i++) {
		if (server->connections[i].stage != FREE)
			end(&server->connections[i]);
	}
	unwatch(server, &server->watch);
	loop_timer_cancel(server->loop, &server->pace);
	if (server->file.st_ino)
		socket_file_remove(server->name, &server->file);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}

const char *http_server_name(const struct http_server *server)
{
	return server->name;
}
