// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to the HTTP server, well-formed and not; what clients accept; addresses. */
#include <errno.h>

#include "base/message.h"
#include "check.h"
#include "daemon/http_server.h"

/* ---- requests ---- */

static const struct {
	const char *text;
	long result;			/* 0: all of it is the head; 1: it is not complete */
} requests[] = {
	{ "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 0 },
	{ "GET /metrics?x=y HTTP/1.1\r\nHost: [::1]:9464\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n", 0 },
	{ "HEAD / HTTP/1.0\r\n\r\n", 0 },
	{ "GET http://127.0.0.1:9464/metrics HTTP/1.1\r\nHost: other\r\n\r\n", 0 },
	{ "GET http://localhost HTTP/1.1\r\nHost:\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX:\t some\xffthing \t\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n", 1 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r", 1 },
	{ "", 1 },
	{ "\r\nGET / HTTP/1.0\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\nHost: a\n\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", -400 },
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", -400 },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", -400 },
	{ "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
	{ "GET metrics HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
	{ "GET http:///metrics HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
	{ "GET http://a@b/metrics HTTP/1.1\r\nHost: a\r\n\r\n", -400 },
	{ "GET /\r\n", -400 },
	{ "\x16\x03\x01\x02", -400 },		/* TLS */
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -505 },
	{ "POST /metrics HTTP/1.1\r\n", -405 },
	{ "get /metrics HTTP/1.1\r\n", -405 },
	{ "OPTIONS * HTTP/1.1\r\n", -405 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n", -413 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", -413 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", -400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", -400 },
};

static void test_requests(void)
{
	struct http_request request;
	const char *text = requests[1].text;
	unsigned int early = 0;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		size_t bytes = strlen(requests[i].text);
		char *exact = memcpy(memory_zeroed(bytes + 1, 1), requests[i].text, bytes);
		long wanted = requests[i].result == 1 ? 0 : requests[i].result ? requests[i].result : (long)bytes;

		exact = memory_resized(exact, bytes ? bytes : 1, 1);
		check_number(http_request_read(&request, exact, bytes), wanted, "request %zu", i);
		free(exact);
	}
	for (size_t bytes = 0; bytes < strlen(text); bytes++)
		early += http_request_read(&request, text, bytes) != 0;
	check_number(early, 0, "no part of a good request is refused");
	http_request_read(&request, text, strlen(text));
	check(request.path.bytes == 8 && !memcmp(request.path.data, "/metrics", 8), "the path has no query");
	check(http_text_is(request.host, "[::1]") && http_text_is(request.accept, "*/*"), "host and types are taken");
	check(request.keeps && !request.is_head, "HTTP/1.1 goes on");
	http_request_read(&request, requests[2].text, strlen(requests[2].text));
	check(!request.keeps && request.is_head && !request.host.bytes, "HTTP/1.0 does not");
	http_request_read(&request, requests[3].text, strlen(requests[3].text));
	check(http_text_is(request.host, "127.0.0.1"), "the host of a URL goes first");
	text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n";
	http_request_read(&request, text, strlen(text));
	check(!request.keeps, "Connection: close is heard");
}

static struct http_text text_of(const char *text)
{
	return (struct http_text){ text, text ? strlen(text) : 0 };
}

static void test_accept(void)
{
	static const struct {
		const char *accept;
		unsigned int text, open;
	} cases[] = {
		{ NULL, 1000, 0 },
		{ "*/*", 1000, 0 },
		{ "text/html, text/*;q=0.3", 300, 0 },
		{ "application/openmetrics-text", 0, 1000 },
		{ "application/openmetrics-text; version=1.0.0; charset=utf-8;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 500, 750 },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
		  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", 300, 600 },
		{ "application/openmetrics-text;version=2.0.0", 0, 0 },
		{ "TEXT/PLAIN;Q=1.000", 1000, 0 },
		{ "text/plain;q=0,*/*", 0, 0 },
		{ "text/plain;q=x", 0, 0 },
		{ "text/plain;q=", 0, 0 },
		{ ",;,=;;q,", 0, 0 },
		{ "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_text accept = text_of(cases[i].accept);

		check_number(http_accepts(accept, "text/plain", "0.0.4", true), cases[i].text, "text by \"%s\"", cases[i].accept);
		check_number(http_accepts(accept, "application/openmetrics-text", "1.0.0", false), cases[i].open, "OpenMetrics by it");
	}
}

static void test_addresses(void)
{
	static const struct {
		const char *text;
		int port;		/* -1: none */
		bool is_loopback;
	} cases[] = {
		{ "9464", 9464, true }, { "127.0.0.1:1", 1, true }, { "localhost:65535", 65535, true }, { "[::1]:80", 80, true },
		{ "127.1.2.3:80", 80, true }, { "0.0.0.0:9464", 9464, false }, { "[::]:9464", 9464, false }, { "0", 0, true },
		{ "[::ffff:127.0.0.1]:80", 80, true }, { "[::ffff:192.0.2.1]:80", 80, false },
		{ "", -1, false }, { ":9464", -1, false }, { "::1:9464", -1, false }, { "[::1]", -1, false }, { "[::1]9464", -1, false },
		{ "[]:1", -1, false }, { "[127.0.0.1]:1", -1, false }, { "example.com:1", -1, false }, { "127.0.0.1:65536", -1, false },
		{ "127.0.0.1:", -1, false }, { "localhost", -1, false }, { "127.0.0.1:1x", -1, false }, { "]:1", -1, false },
	};
	static const struct {
		const char *host;
		bool is_local;
	} hosts[] = {
		{ "localhost", true }, { "LOCALHOST", true }, { "", true }, { "127.0.0.1", true }, { "10.0.0.1", true }, { "[::1]", true },
		{ "evil.example", false }, { "127.0.0.1.evil.example", false }, { "localhost.evil.example", false }, { "[]", false },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_storage address;
		int error = http_address_parse(cases[i].text, &address);

		check(cases[i].port < 0 ? error == -EINVAL : !error && (int)http_address_port(&address) == cases[i].port &&
		      http_address_is_loopback(&address) == cases[i].is_loopback, "address \"%s\"", cases[i].text);
	}
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		check(http_host_is_local(text_of(hosts[i].host)) == hosts[i].is_local, "host \"%s\"", hosts[i].host);
}

int main(void)
{
	test_requests();
	test_accept();
	test_addresses();
	return check_end();
}
