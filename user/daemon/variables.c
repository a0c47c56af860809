// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/message.h"
#include "base/number.h"
#include "daemon/http_server.h"
#include "daemon/variables.h"

static bool set(const char *variable, const char **value)
{
	*value = getenv(variable);
	return *value && **value;
}

/* Where OpenTelemetry's exporters for Prometheus listen. */
static void read_prometheus(struct daemon_options *options)
{
	const char *host, *port;
	char address[128];

	if (!set("OTEL_EXPORTER_PROMETHEUS_HOST", &host))
		host = "localhost";
	if (!set("OTEL_EXPORTER_PROMETHEUS_PORT", &port))
		port = "9464";
	snprintf(address, sizeof(address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	options->prometheus = !http_address_parse(address, &options->exposition.address);
	if (!options->prometheus)
		message_warning("OTEL_METRICS_EXPORTER=prometheus is ignored: %s is no numeric address with a port "
				"(OTEL_EXPORTER_PROMETHEUS_HOST, _PORT)", address);
}

/* A list, separated by commas. One that cannot be understood leaves all as it is. */
static void read_exporters(struct daemon_options *options, const char *value)
{
	bool otlp = false, prometheus = false;
	char copy[128], *place, *word;

	snprintf(copy, sizeof(copy), "%s", value);
	for (word = strtok_r(copy, ", ", &place); word; word = strtok_r(NULL, ", ", &place)) {
		otlp |= !strcmp(word, "otlp");
		prometheus |= !strcmp(word, "prometheus");
		if (strcmp(word, "otlp") && strcmp(word, "prometheus") && strcmp(word, "none")) {
			message_warning("OTEL_METRICS_EXPORTER=%s is ignored: ktallyd knows otlp, prometheus and none", value);
			return;
		}
	}
	options->otlp &= otlp;
	if (prometheus)
		read_prometheus(options);
}

void variables_read(struct daemon_options *options)
{
	const char *value;
	uint64_t number;

	/*
	 * The file's is less than that, the command line's is not read yet; otlp_options_from_environment() takes it up. An address for
	 * one signal is no word on the other.
	 */
	if (set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &value) || set("OTEL_EXPORTER_OTLP_ENDPOINT", &value)) {
		free(options->endpoint);
		options->endpoint = NULL;
	}
	if (set("OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT", &value) || set("OTEL_EXPORTER_OTLP_ENDPOINT", &value)) {
		free(options->profiles_beside);
		options->profiles_beside = NULL;
		options->profiles_endpoint = NULL;
	}
	if (set("OTEL_METRIC_EXPORT_INTERVAL", &value)) {
		if (number_parse(value, INTERVAL_LEAST, INTERVAL_MOST, &number))
			message_warning("OTEL_METRIC_EXPORT_INTERVAL=%s is ignored: it must be %d to %d (milliseconds)", value,
					INTERVAL_LEAST, INTERVAL_MOST);
		else
			options->interval = number;
	}
	deployment_read_environment(&options->deployment);
	if (set("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &value)) {
		options->cumulative = !strcasecmp(value, "cumulative");
		if (!options->cumulative && strcasecmp(value, "delta") && strcasecmp(value, "lowmemory"))
			message_warning("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=%s is ignored: it must be cumulative, delta or "
					"lowmemory", value);
	}
	if (set("OTEL_SDK_DISABLED", &value) && !strcasecmp(value, "true"))
		options->otlp = false;
	if (set("OTEL_METRICS_EXPORTER", &value))
		read_exporters(options, value);
}
