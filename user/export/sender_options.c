// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "export/compress.h"
#include "export/sender_parts.h"

/* ---- headers ---- */

static int hexadecimal(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Characters of a header's name, RFC 9110 section 5.6.2. */
static bool is_token(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i]))
			return false;
	}
	return bytes > 0;
}

static int append_decoded(struct buffer *line, const char *value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		char c = value[i];

		if (c == '%') {
			int high = i + 2 < bytes ? hexadecimal(value[i + 1]) : -1;
			int low = i + 2 < bytes ? hexadecimal(value[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (iscntrl((unsigned char)c))
			return -EINVAL;
		buffer_append(line, &c, 1);
	}
	return 0;
}

static size_t trimmed(const char **text, size_t bytes)
{
	while (bytes && isspace((unsigned char)**text)) {
		(*text)++;
		bytes--;
	}
	while (bytes && isspace((unsigned char)(*text)[bytes - 1]))
		bytes--;
	return bytes;
}

static int append_header(struct curl_slist **list, const char *text, size_t bytes)
{
	const char *equals = memchr(text, '=', bytes), *value;
	struct buffer line = { 0 };
	struct curl_slist *longer;
	size_t key_bytes, value_bytes;
	int error = -EINVAL;

	if (!equals)
		return -EINVAL;
	value = equals + 1;
	value_bytes = trimmed(&value, bytes - (size_t)(value - text));
	key_bytes = trimmed(&text, (size_t)(equals - text));
	if (is_token(text, key_bytes)) {
		buffer_append(&line, text, key_bytes);
		buffer_string(&line, value_bytes ? ": " : ";");		/* how libcurl wants a header with no value */
		error = append_decoded(&line, value, value_bytes);
	}
	if (!error) {
		longer = curl_slist_append(*list, line.data);
		if (longer)
			*list = longer;
		else
			error = -ENOMEM;
	}
	buffer_free(&line);
	return error;
}

int sender_headers(const char *text, struct curl_slist **list)
{
	while (text && *text) {
		size_t bytes = strcspn(text, ","), kept;
		const char *item = text;

		kept = trimmed(&item, bytes);
		if (kept) {
			int error = append_header(list, item, kept);

			if (error)
				return error;
		}
		text += bytes;
		text += *text == ',';
	}
	return 0;
}

/* ---- checks ---- */

static int check_endpoint(const char *endpoint)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *user = NULL;
	int error = -EINVAL;

	if (!url)
		return -ENOMEM;
	if (curl_url_set(url, CURLUPART_URL, endpoint, 0) || curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
	    (strcmp(scheme, "http") && strcmp(scheme, "https")))
		message_error("\"%s\" is not an address to send to: it must begin with http:// or https://",
			      endpoint);
	else if (!curl_url_get(url, CURLUPART_USER, &user, 0))
		message_error("the address to send to has a user name in it: put credentials into "
			      "OTEL_EXPORTER_OTLP_HEADERS, as Authorization=Basic%%20...");
	else
		error = 0;
	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(url);
	return error;
}

static int check_file(const char *path, const char *what)
{
	if (!path || !access(path, R_OK))
		return 0;
	message_error("cannot read %s \"%s\": %m", what, path);
	return -EINVAL;
}

int sender_check_options(const struct sender_options *options)
{
	struct curl_slist *headers = NULL;
	enum compression compression;
	int error = check_endpoint(options->endpoint);

	if (error)
		return error;
	error = sender_headers(options->headers, &headers);
	curl_slist_free_all(headers);
	if (error) {
		message_error("the headers to send with are not of the form key=value,key=value with "
			      "percent-encoded values");
		return -EINVAL;
	}
	if (compression_parse(options->compression, &compression)) {
		message_error("there is no compression \"%s\": use gzip, zstd or none", options->compression);
		return -EINVAL;
	}
	if (options->client_key && !options->client_certificate) {
		message_error("a client key is of no use without a client certificate: set "
			      "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE too");
		return -EINVAL;
	}
	if (check_file(options->certificate, "the certificate of the receiver's authority") ||
	    check_file(options->client_certificate, "the client certificate") ||
	    check_file(options->client_key, "the client key"))
		return -EINVAL;
	return 0;
}
