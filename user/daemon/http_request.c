// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "daemon/http_request.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Characters of a method and of a header's name, RFC 9110 section 5.6.2. */
static bool is_token_character(char c)
{
	return c && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct http_text text)
{
	for (size_t i = 0; i < text.bytes; i++) {
		if (!is_token_character(text.data[i]))
			return false;
	}
	return text.bytes;
}

bool http_text_is(struct http_text text, const char *other)
{
	return text.data && text.bytes == strlen(other) && !strncasecmp(text.data, other, text.bytes);
}

static struct http_text trimmed(struct http_text text)
{
	while (text.bytes && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.bytes--;
	}
	while (text.bytes && (text.data[text.bytes - 1] == ' ' || text.data[text.bytes - 1] == '\t'))
		text.bytes--;
	return text;
}

/* Takes what is before the first such character off the text, and that character; all of it when there is none. */
static struct http_text take_up_to(struct http_text *text, char end)
{
	const char *at = text->bytes ? memchr(text->data, end, text->bytes) : NULL;
	struct http_text taken = *text;

	if (!text->bytes)
		return taken;
	if (at)
		taken.bytes = (size_t)(at - text->data);
	text->data += taken.bytes;
	text->bytes -= taken.bytes;
	if (at) {
		text->data++;
		text->bytes--;
	}
	return taken;
}

/* ---- the request line ---- */

static bool begins_with(struct http_text text, const char *start)
{
	return text.bytes >= strlen(start) && !strncasecmp(text.data, start, strlen(start));
}

/* A target is a path with or without a query, or a whole URL, whose host then goes before the header's. */
static int take_target(struct http_request *request, struct http_text target)
{
	struct http_text rest = target;

	for (size_t i = 0; i < target.bytes; i++) {
		if (target.data[i] <= ' ' || target.data[i] >= 0x7f)
			return -HTTP_BAD_REQUEST;
	}
	if (begins_with(target, "http://")) {
		rest.data += strlen("http://");
		rest.bytes -= strlen("http://");
		request->host = take_up_to(&rest, '/');
		if (!request->host.bytes || memchr(request->host.data, '@', request->host.bytes))
			return -HTTP_BAD_REQUEST;
		rest.data = request->host.data + request->host.bytes;
		rest.bytes = (size_t)(target.data + target.bytes - rest.data);
		if (!rest.bytes)
			rest = (struct http_text){ "/", 1 };
	}
	if (!rest.bytes || *rest.data != '/')
		return -HTTP_BAD_REQUEST;
	request->path = take_up_to(&rest, '?');
	return 0;
}

static int take_request_line(struct http_request *request, struct http_text line)
{
	struct http_text method = take_up_to(&line, ' '), target = take_up_to(&line, ' ');

	if (!is_token(method) || !target.bytes)
		return -HTTP_BAD_REQUEST;
	if (line.bytes != 8 || memcmp(line.data, "HTTP/", 5) || !is_digit(line.data[5]) || line.data[6] != '.' ||
	    !is_digit(line.data[7]))
		return -HTTP_BAD_REQUEST;
	if (line.data[5] != '1')
		return -HTTP_VERSION_NOT_SUPPORTED;
	request->keeps = line.data[7] != '0';
	request->is_head = method.bytes == 4 && !memcmp(method.data, "HEAD", 4);
	if (!request->is_head && (method.bytes != 3 || memcmp(method.data, "GET", 3)))
		return -HTTP_METHOD_NOT_ALLOWED;
	return take_target(request, target);
}

/* ---- headers ---- */

/* Headers that matter, and what may not come twice. */
struct headers {
	struct http_text host;
	bool has_length;
};

static int take_length(struct headers *headers, struct http_text value)
{
	if (headers->has_length || !value.bytes)
		return -HTTP_BAD_REQUEST;
	headers->has_length = true;
	for (size_t i = 0; i < value.bytes; i++) {
		if (!is_digit(value.data[i]))
			return -HTTP_BAD_REQUEST;
	}
	for (size_t i = 0; i < value.bytes; i++) {
		if (value.data[i] != '0')
			return -HTTP_CONTENT_TOO_LARGE;
	}
	return 0;
}

static int take_header(struct http_request *request, struct headers *headers, struct http_text line)
{
	const char *colon = memchr(line.data, ':', line.bytes);
	struct http_text name, value;

	if (!colon)
		return -HTTP_BAD_REQUEST;
	name = take_up_to(&line, ':');
	value = trimmed(line);
	if (!is_token(name))
		return -HTTP_BAD_REQUEST;
	if (http_text_is(name, "Host")) {
		if (headers->host.data)
			return -HTTP_BAD_REQUEST;
		headers->host = value;
	} else if (http_text_is(name, "Accept")) {
		request->accept = value;
	} else if (http_text_is(name, "Authorization")) {
		if (request->authorization.data)
			return -HTTP_BAD_REQUEST;
		request->authorization = value;
	} else if (http_text_is(name, "Content-Length")) {
		return take_length(headers, value);
	} else if (http_text_is(name, "Transfer-Encoding")) {
		return -HTTP_CONTENT_TOO_LARGE;
	} else if (http_text_is(name, "Connection")) {
		while (value.bytes) {
			struct http_text option = trimmed(take_up_to(&value, ','));

			if (http_text_is(option, "close"))
				request->keeps = false;
		}
	}
	return 0;
}

/* The port goes. In brackets is an IPv6 address, which has colons of its own. */
static int take_host(struct http_request *request, struct http_text host)
{
	struct http_text rest = host, port;

	if (host.bytes && *host.data == '[') {
		host = take_up_to(&rest, ']');
		if (rest.data[-1] != ']')
			return -HTTP_BAD_REQUEST;
		host.bytes++;
		if (rest.bytes && *rest.data != ':')
			return -HTTP_BAD_REQUEST;
		port = rest.bytes ? (struct http_text){ rest.data + 1, rest.bytes - 1 } : rest;
	} else {
		host = take_up_to(&rest, ':');
		port = rest;
	}
	for (size_t i = 0; i < port.bytes; i++) {
		if (!is_digit(port.data[i]))
			return -HTTP_BAD_REQUEST;
	}
	request->host = host;
	return 0;
}

/* A line up to its CR LF, which goes too. 1: taken; 0: it is not there yet; else a status, negated. */
static int take_line(struct http_text *text, struct http_text *line)
{
	for (size_t i = 0; i < text->bytes; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if (c == '\r' && i + 1 == text->bytes)
			return 0;
		if (c == '\r' && text->data[i + 1] == '\n') {
			*line = (struct http_text){ text->data, i };
			text->data += i + 2;
			text->bytes -= i + 2;
			return 1;
		}
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return -HTTP_BAD_REQUEST;
	}
	return 0;
}

long http_request_read(struct http_request *request, const char *data, size_t bytes)
{
	struct http_text text = { data, bytes }, line;
	struct headers headers = { .has_length = false };
	bool needs_host;
	int result;

	*request = (struct http_request){ .is_head = false };
	result = take_line(&text, &line);
	if (result <= 0)
		return result;
	result = take_request_line(request, line);
	if (result)
		return result;
	needs_host = request->keeps;		/* HTTP/1.0 has none */
	while ((result = take_line(&text, &line)) > 0 && line.bytes) {
		result = take_header(request, &headers, line);
		if (result)
			return result;
	}
	if (result <= 0)
		return result;
	if (!headers.host.data && needs_host)
		return -HTTP_BAD_REQUEST;
	/* What a URL says goes before what the header says. */
	result = take_host(request, request->host.data ? request->host : headers.host);
	return result ? result : (long)(bytes - text.bytes);
}

/* ---- what the client accepts ---- */

/* "0.5" in thousandths; what cannot be read is not wanted. */
static unsigned int thousandths(struct http_text text)
{
	unsigned int value, unit = 100;

	if (!text.bytes || (*text.data != '0' && *text.data != '1') || (text.bytes > 1 && text.data[1] != '.'))
		return 0;
	value = *text.data == '1' ? 1000 : 0;
	for (size_t i = 2; i < text.bytes && i < 5; i++) {
		if (!is_digit(text.data[i]))
			return 0;
		value += (unsigned int)(text.data[i] - '0') * unit;
		unit /= 10;
	}
	return value < 1000 ? value : 1000;
}

static bool is_wildcard(struct http_text range, const char *type)
{
	size_t slash = strcspn(type, "/") + 1;

	return http_text_is(range, "*/*") || (range.bytes == slash + 1 && range.data[slash] == '*' &&
					      !strncasecmp(range.data, type, slash));
}

unsigned int http_accepts(struct http_text accept, const char *type, const char *version, bool wildcards)
{
	unsigned int named = 0, any = 0;
	bool is_named = false;

	if (!accept.data)
		return wildcards ? 1000 : 0;
	while (accept.bytes) {
		struct http_text item = take_up_to(&accept, ','), range = trimmed(take_up_to(&item, ';'));
		unsigned int quality = 1000;
		bool fits = true;

		while (item.bytes) {
			struct http_text value = trimmed(take_up_to(&item, ';')), key = trimmed(take_up_to(&value, '='));

			value = trimmed(value);
			if (http_text_is(key, "q"))
				quality = thousandths(value);
			else if (http_text_is(key, "version"))
				fits = http_text_is(value, version);
		}
		if (fits && http_text_is(range, type)) {
			named = quality > named ? quality : named;
			is_named = true;
		} else if (fits && wildcards && is_wildcard(range, type)) {
			any = quality > any ? quality : any;
		}
	}
	return is_named ? named : any;
}

bool http_host_is_local(struct http_text host)
{
	unsigned char address[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN + 2];

	if (!host.bytes || http_text_is(host, "localhost"))
		return true;
	if (*host.data == '[') {
		host.data++;
		host.bytes -= 2;
	}
	if (host.bytes >= sizeof(text))
		return false;
	memcpy(text, host.data, host.bytes);
	text[host.bytes] = '\0';
	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}
