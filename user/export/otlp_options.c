// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment variables of OpenTelemetry's exporter specification. An empty variable is one that is not set. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/message.h"
#include "base/number.h"
#include "export/otlp.h"

#define TIMEOUT_MS_MOST	3600000

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

int otlp_headers(const char *text, struct curl_slist **list)
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
		message_error("\"%s\" is not an address to send metrics to: it must begin with http:// or https://",
			      endpoint);
	else if (!curl_url_get(url, CURLUPART_USER, &user, 0))
		message_error("the address to send metrics to has a user name in it: put credentials into "
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

int otlp_check_options(const struct otlp_options *options)
{
	struct curl_slist *headers = NULL;
	int error = options->endpoint ? check_endpoint(options->endpoint) : 0;

	if (error)
		return error;
	error = otlp_headers(options->headers, &headers);
	curl_slist_free_all(headers);
	if (error) {
		message_error("the headers to send metrics with are not of the form key=value,key=value with "
			      "percent-encoded values");
		return -EINVAL;
	}
	if (options->compression && strcmp(options->compression, "gzip") && strcmp(options->compression, "none")) {
		message_error("there is no compression \"%s\": use gzip or none", options->compression);
		return -EINVAL;
	}
	if (options->client_key && !options->client_certificate) {
		message_error("a client key is of no use without a client certificate: set "
			      "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE too");
		return -EINVAL;
	}
	if (check_file(options->certificate, "the certificate of the collector's authority") ||
	    check_file(options->client_certificate, "the client certificate") ||
	    check_file(options->client_key, "the client key"))
		return -EINVAL;
	return 0;
}

/* ---- the environment ---- */

/* OTEL_EXPORTER_OTLP_METRICS_NAME, then OTEL_EXPORTER_OTLP_NAME. Which one it was, if *found is wanted. */
static const char *variable(const char *name, const char **found)
{
	static const char *const prefixes[] = { "OTEL_EXPORTER_OTLP_METRICS_", "OTEL_EXPORTER_OTLP_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		char full[64];
		const char *value;

		snprintf(full, sizeof(full), "%s%s", prefixes[i], name);
		value = getenv(full);
		if (value && *value) {
			if (found)
				*found = intern(full);
			return intern(value);
		}
	}
	return NULL;
}

static void take(const char **option, const char *name)
{
	if (!*option)
		*option = variable(name, NULL);
}

/* The address for all signals gets the path of this one; the address for metrics alone is used as it is. */
static const char *endpoint_of_environment(void)
{
	struct buffer text = { 0 };
	const char *name, *endpoint = variable("ENDPOINT", &name);

	if (!endpoint || !strcmp(name, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"))
		return endpoint;
	buffer_format(&text, "%s%sv1/metrics", endpoint, endpoint[strlen(endpoint) - 1] == '/' ? "" : "/");
	endpoint = intern(text.data);
	buffer_free(&text);
	return endpoint;
}

int otlp_options_from_environment(struct otlp_options *options)
{
	const char *name = NULL, *text;
	uint64_t milliseconds;

	if (!options->endpoint) {
		options->endpoint = endpoint_of_environment();
		text = variable("PROTOCOL", &name);
		if (options->endpoint && text && strcmp(text, "http/protobuf")) {
			message_error("%s is \"%s\", but only http/protobuf can be sent: set it to that, and the endpoint "
				      "to the collector's HTTP port (usually 4318)", name, text);
			return -EINVAL;
		}
	}
	take(&options->headers, "HEADERS");
	take(&options->certificate, "CERTIFICATE");
	take(&options->client_key, "CLIENT_KEY");
	take(&options->client_certificate, "CLIENT_CERTIFICATE");
	take(&options->compression, "COMPRESSION");
	text = variable("TIMEOUT", &name);
	if (!options->timeout_ms && text) {
		if (number_parse(text, 1, TIMEOUT_MS_MOST, &milliseconds)) {
			message_error("%s is \"%s\", not a number of milliseconds from 1 to %u", name, text,
				      TIMEOUT_MS_MOST);
			return -EINVAL;
		}
		options->timeout_ms = (unsigned int)milliseconds;
	}
	return otlp_check_options(options);
}
