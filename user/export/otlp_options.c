// SPDX-License-Identifier: GPL-2.0-or-later
/* An empty variable is one that is not set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "base/number.h"
#include "export/otlp.h"
#include "export/sender_parts.h"

#define TIMEOUT_MS_MOST	3600000

/* OTEL_EXPORTER_OTLP_METRICS_NAME, then OTEL_EXPORTER_OTLP_NAME. Whether it was the first, if *own is wanted. */
static const char *variable(const struct otlp_signal *signal, const char *name, bool *own)
{
	for (int general = 0; general < 2; general++) {
		char full[64];
		const char *value;

		snprintf(full, sizeof(full), "OTEL_EXPORTER_OTLP_%s%s%s", general ? "" : signal->variable, general ? "" : "_", name);
		value = getenv(full);
		if (value && *value) {
			if (own)
				*own = !general;
			return intern(value);
		}
	}
	return NULL;
}

/* The address for all signals gets the path of this one; the address for one signal alone is used as it is. */
static const char *endpoint_of_environment(const struct otlp_signal *signal)
{
	struct buffer text = { 0 };
	bool own;
	const char *endpoint = variable(signal, "ENDPOINT", &own);

	if (!endpoint || own)
		return endpoint;
	buffer_format(&text, "%s%s%s", endpoint, endpoint[strlen(endpoint) - 1] == '/' ? "" : "/", signal->path);
	endpoint = intern(text.data);
	buffer_free(&text);
	return endpoint;
}

static int take_timeout(struct sender_options *options, const struct otlp_signal *signal)
{
	const char *text = variable(signal, "TIMEOUT", NULL);
	uint64_t milliseconds;

	if (options->timeout_ms || !text)
		return 0;
	if (number_parse(text, 1, TIMEOUT_MS_MOST, &milliseconds)) {
		message_error("OTEL_EXPORTER_OTLP_TIMEOUT, or that of a signal, is \"%s\", not a number of milliseconds from 1 to %u", text,
			      TIMEOUT_MS_MOST);
		return -EINVAL;
	}
	options->timeout_ms = (unsigned int)milliseconds;
	return 0;
}

int otlp_options_from_environment(struct sender_options *options, const struct otlp_signal *signal)
{
	const struct {
		const char **option, *name;
	} texts[] = {
		{ &options->headers, "HEADERS" },
		{ &options->certificate, "CERTIFICATE" },
		{ &options->client_key, "CLIENT_KEY" },
		{ &options->client_certificate, "CLIENT_CERTIFICATE" },
		{ &options->compression, "COMPRESSION" },
	};
	const char *protocol = variable(signal, "PROTOCOL", NULL);

	options->protocol = &signal->protocol;
	if (!options->endpoint) {
		options->endpoint = endpoint_of_environment(signal);
		if (options->endpoint && protocol && strcmp(protocol, "http/protobuf")) {
			message_error("OTEL_EXPORTER_OTLP_PROTOCOL is \"%s\", but only http/protobuf can be sent: set it to that, and the "
				      "endpoint to the collector's HTTP port (usually 4318)", protocol);
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!*texts[i].option)
			*texts[i].option = variable(signal, texts[i].name, NULL);
	}
	if (take_timeout(options, signal))
		return -EINVAL;
	return options->endpoint ? sender_check_options(options) : 0;
}
