/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of an HTTP/1.1 request, as somebody sent it to ktallyd. Read strictly (RFC 9112): lines end with CR LF, no line
 * is continued, no control characters, one Host; a request with a body is refused. What is not understood is never guessed
 * at: there is one client that matters, Prometheus, and it writes well.
 */
#ifndef KTALLY_HTTP_REQUEST_H
#define KTALLY_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_UNAUTHORIZED = 401,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_CONTENT_TOO_LARGE = 413,
	HTTP_MISDIRECTED = 421,
	HTTP_HEAD_TOO_LARGE = 431,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};

/* A piece of the request: not zero-terminated. */
struct http_text {
	const char *data;		/* NULL: not there */
	size_t bytes;
};

struct http_request {
	bool is_head;			/* HEAD: no body in the answer; else GET */
	bool keeps;			/* the client goes on with this connection */
	struct http_text path;		/* without a query */
	struct http_text host;		/* without a port; [::1] with its brackets */
	struct http_text accept;	/* of several, the last */
	struct http_text authorization;
};

/*
 * The bytes of the head, up to the empty line's end; 0: it is not complete; < 0: the status to refuse it with, negated. What is
 * refused, is as soon as that can be known.
 */
long http_request_read(struct http_request *request, const char *data, size_t bytes);

bool http_text_is(struct http_text text, const char *other);	/* ASCII letters of either case are the same */

/*
 * How much the client wants a type, in thousandths (RFC 9110, section 12.5.1): q of the range in Accept that names it with this
 * version or none, else of a wildcard. Without Accept everything is wanted. 0: not at all.
 */
unsigned int http_accepts(struct http_text accept, const char *type, const char *version, bool wildcards);

/*
 * Whether the client meant this host by an address or as "localhost". A page of some other site in a browser here can be made to
 * reach us only by that site's name ("DNS rebinding").
 */
bool http_host_is_local(struct http_text host);

#endif
