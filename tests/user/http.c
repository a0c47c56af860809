// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP server within the loop, and the pages that it serves: clients that are good, slow, rude and many. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "daemon/exposition.h"
#include "http_client.h"

#define SECOND 1000000000ULL

/* ---- a server and its clients, in one loop ---- */

static struct {
	struct http_server *server;
	struct http_body body;
	unsigned int answers;
} test;

static void answer(void *context, const struct http_request *request, struct http_answer *answer)
{
	check(context == &test, "the context is given");
	test.answers++;
	if (request->path.bytes == 5 && !memcmp(request->path.data, "/body", 5))
		*answer = (struct http_answer){ .status = HTTP_OK, .type = "text/x", .body = &test.body };
	else
		answer->why = "only /body";
}

static void open_server(enum loop_kind kind)
{
	struct sockaddr_storage address;

	memset(&test, 0, sizeof(test));
	if (loop_create(&client.loop, kind) || http_address_parse("0", &address) ||
	    http_server_create(&test.server, client.loop, &address, (gid_t)-1, answer, &test)) {
		perror("server");
		exit(1);
	}
	client.port = (uint16_t)atoi(strrchr(http_server_name(test.server), ':') + 1);
	buffer_string(&test.body.text, "hello\n");
}

static void close_server(void)
{
	http_server_destroy(test.server);
	check_number(test.body.users, 0, "nothing is held at the end");
	loop_destroy(client.loop);
	buffer_free(&test.body.text);
}

/* One request on a connection of its own. */
static void asks(const char *name, const char *request, const char *wanted, bool closes)
{
	int fd = connected();
	bool closed;
	char *text;

	put(fd, request);
	text = got(fd, 1000, &closed);
	if (!check(strstr(text, wanted) && closed == closes, "%s", name))
		printf("# %s\n", text);
	free(text);
	close(fd);
	turn_for(2);
}

static void test_answers(void)
{
	static char big[HTTP_REQUEST_BYTES_MOST + 2000];
	char *text;
	bool closed;
	int fd;

	asks("a body has its type and length", "GET /body HTTP/1.1\r\n" LINES, "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 6\r\n", false);
	asks("and comes whole", "GET /body HTTP/1.1\r\n" LINES, "\r\nConnection: keep-alive\r\n\r\nhello\n", false);
	asks("HTTP/1.0 ends with it", "GET /body HTTP/1.0\r\n\r\n", "\r\nConnection: close\r\n\r\nhello\n", true);
	asks("what is not there is told", "GET /other HTTP/1.1\r\n" LINES, "\r\n\r\n404 Not Found: only /body\n", false);
	asks("other methods are refused", "POST /body HTTP/1.1\r\n" LINES, "HTTP/1.1 405 Method Not Allowed\r\n", true);
	asks("and it is told which are not", "PUT /body HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "\r\nAllow: GET, HEAD\r\n", true);
	asks("a request with a body is refused", "GET /body HTTP/1.1\r\nContent-Length: 5\r\n", "HTTP/1.1 413 Content Too Large\r\n", true);
	asks("another site's name is refused", "GET /body HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421 Misdirected Request\r\n", false);
	asks("nonsense is refused", "nonsense\r\n", "HTTP/1.1 400 Bad Request\r\n", true);
	snprintf(big, sizeof(big), "GET /body HTTP/1.1\r\nX: %0*d\r\n" LINES, HTTP_REQUEST_BYTES_MOST + 1000, 0);
	asks("a head that is too large is refused", big, "HTTP/1.1 431 Request Header Fields Too Large\r\n", true);
	asks("of two requests at once one is answered", "GET /body HTTP/1.1\r\n" LINES "GET /body HTTP/1.1\r\n" LINES, "\r\nConnection: close\r\n", true);
	turn_for(1000);

	fd = connected();
	put(fd, "HEAD /body HTTP/1.1\r\n" LINES);
	turn_for(20);
	text = got(fd, 50, &closed);
	check(strstr(text, "Content-Length: 6\r\n") && !strstr(text, "hello") && !closed, "HEAD has the length and no body");
	free(text);
	for (int i = 0; i < 3; i++) {
		put(fd, "GET /body HTTP/1.1\r\nHo");
		turn_for(5);
		put(fd, "st: [::1]\r\n\r\n");
		text = got(fd, 1000, &closed);
		check(strstr(text, "\r\n\r\nhello\n") && !closed, "and the connection takes request %d, in two pieces", i + 2);
		free(text);
	}
	close(fd);
	check_number(test.body.users, 0, "what is sent is not held");
}

static void test_many(void)
{
	int fds[HTTP_CONNECTIONS_MOST + 1];
	bool closed;
	char *text;

	turn_for(1000);
	for (int i = 0; i <= HTTP_CONNECTIONS_MOST; i++) {
		fds[i] = connected();
		put(fds[i], "GET /body HTTP/1.1\r\n" LINES);
		text = got(fds[i], 500, &closed);
		if (!strstr(text, "hello") || closed)
			check(false, "connection %d is answered", i);
		free(text);
	}
	text = got(fds[0], 50, &closed);
	check(closed && !*text, "who comes when all idle takes the place of the longest");
	free(text);
	text = got(fds[1], 50, &closed);
	check(!closed && !*text, "and of nobody else");
	free(text);
	for (int i = 0; i <= HTTP_CONNECTIONS_MOST; i++)
		close(fds[i]);
	turn_for(20);
}

/* Requests as fast as they are answered, for two seconds. */
static void test_pace(void)
{
	unsigned int before;
	uint64_t end;
	int fd = connected();

	turn_for(1100);
	before = test.answers;
	end = loop_now() + 2 * SECOND;
	while (loop_now() < end) {
		bool closed;

		put(fd, "GET /body HTTP/1.1\r\n" LINES);
		free(got(fd, 1100, &closed));
		if (closed) {
			close(fd);
			fd = connected();
		}
	}
	check(test.answers - before >= 20 && test.answers - before <= 3 * HTTP_WORK_MOST / HTTP_WORK_ANSWER,
	      "in two seconds there are %u answers, whatever clients do", test.answers - before);
	close(fd);
	turn_for(1000);
}

/* Clients that take their time; and what they take must not hold up others. */
static void test_slow(void)
{
	int never = connected(), slow = connected(), fds[HTTP_CONNECTIONS_MOST], fd;
	uint64_t start = loop_now();
	char *text, *piece = memory_zeroed(1, 1 << 20);
	size_t total = 0;
	bool closed;

	for (size_t i = 0; i < 32 << 20; i += 1 << 20)
		buffer_append(&test.body.text, piece, 1 << 20);
	put(never, "GET /body HTTP/1.1\r\n" LINES);
	put(slow, "GET /body HTTP/1.1\r\n" LINES);
	turn_for(100);
	check_number(test.body.users, 2, "two are taking a large body");
	fd = connected();
	put(fd, "GET /other HTTP/1.1\r\n" LINES);
	text = got(fd, 300, &closed);
	check(strstr(text, "404"), "a third is answered meanwhile");
	free(text);
	close(fd);
	while (test.body.users > 1 && loop_now() - start < 9 * SECOND) {
		ssize_t bytes = recv(slow, piece, 1 << 20, 0);

		total += bytes > 0 ? (size_t)bytes : 0;
		turn_for(1);
	}
	check(total > 20 << 20 && test.body.users == 1, "the slow one gets all");
	/* Connections that say nothing, and one that says its request byte by byte. */
	for (int i = 0; i < HTTP_CONNECTIONS_MOST - 2; i++)
		fds[i] = connected();
	turn_for(100);
	start = loop_now();
	close(slow);
	fd = connected();
	turn_for(100);
	for (unsigned int i = 0; i < 60 && (errno = 0, send(fd, "G", 1, MSG_NOSIGNAL)) == 1; i++)
		turn_for(200);
	check(loop_now() - start > 4 * SECOND && loop_now() - start < 8 * SECOND, "a request byte by byte ends after %d s: %.1f", HTTP_REQUEST_MS / 1000,
	      (double)(loop_now() - start) / SECOND);
	close(fd);
	for (int i = 0; i < HTTP_CONNECTIONS_MOST - 2; i++) {
		ssize_t bytes = recv(fds[i], piece, 1, 0);

		if (bytes)
			check(false, "a connection that says nothing ends too");
		close(fds[i]);
	}
	turn_for(6000);
	check_number(test.body.users, 0, "who takes nothing is cut off");
	close(never);
	free(piece);
}

/* ---- pages ---- */

static struct {
	unsigned int pages;
} source;

static void write_page(void *context, struct buffer *text, enum prometheus_format format)
{
	check(context == &source, "the context is given");
	buffer_format(text, "page %u of %s\n", ++source.pages, format == PROMETHEUS_TEXT ? "text" : "OpenMetrics");
}

static char *scrape(const char *accept)
{
	char request[256];
	int fd = connected();
	bool closed;
	char *text;

	snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nAccept: %s\r\nConnection: close\r\n" LINES, accept);
	put(fd, request);
	text = got(fd, 1000, &closed);
	close(fd);
	return text;
}

static void test_exposition(enum loop_kind kind)
{
	struct exposition_options options = { .token = NULL };
	struct sockaddr_storage *address = &options.address;
	struct exposition *exposition;
	struct http_server *other;
	char *text;

	source.pages = 0;
	loop_create(&client.loop, kind);
	/* A port that is free: given to somebody else first. */
	http_address_parse("0", address);
	http_server_create(&other, client.loop, address, (gid_t)-1, answer, &test);
	client.port = (uint16_t)atoi(strrchr(http_server_name(other), ':') + 1);
	((struct sockaddr_in *)address)->sin_port = htons(client.port);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, &source), EXIT_FAILED, "a port in use is told");
	http_server_destroy(other);
	turn_for(1);
	if (check_number(exposition_create(&exposition, client.loop, &options, write_page, &source), EXIT_OK, "one that is free is taken")) {
		text = scrape("*/*");
		check(strstr(text, "\r\nContent-Type: text/plain; version=0.0.4") && strstr(text, "\r\n\r\npage 1 of text\n"), "a page");
		free(text);
		text = scrape("*/*");
		check(strstr(text, "\r\n\r\npage 1 of text\n"), "another within a second gets the same");
		free(text);
		text = scrape("application/openmetrics-text;version=1.0.0,*/*;q=0.1");
		check(strstr(text, "\r\nContent-Type: application/openmetrics-text; version=1.0.0") &&
		      strstr(text, "\r\n\r\npage 2 of OpenMetrics\n"), "OpenMetrics for who likes that better");
		free(text);
		turn_for(1100);
		text = scrape("*/*");
		check(strstr(text, "\r\n\r\npage 3 of text\n"), "a second later there is a new one");
		free(text);
	}
	exposition_destroy(exposition);
	loop_destroy(client.loop);
}

int main(void)
{
	static const enum loop_kind kinds[] = { LOOP_POLL, LOOP_IO_URING };

	message_program = "http";
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 2; i++) {
		struct loop *loop;

		if (loop_create(&loop, kinds[i])) {
			check_skip("it does not work here", "io_uring");
			continue;
		}
		printf("# %s\n", loop_name(loop));
		loop_destroy(loop);
		open_server(kinds[i]);
		test_answers();
		test_many();
		test_pace();
		test_slow();
		close_server();
		test_exposition(kinds[i]);
	}
	return check_end();
}
