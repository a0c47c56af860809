/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of ktallyd, and those of OpenTelemetry's environment variables that are not about one request. */
#ifndef KTALLY_DAEMON_OPTIONS_H
#define KTALLY_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "session/options.h"

struct daemon_options {
	struct session_options session;
	uint64_t interval;		/* of exports, ms */
	uint64_t stop_timeout;		/* most time for the last export, ms */
	char *endpoint;			/* NULL: as OTEL_EXPORTER_OTLP_* say */
	bool otlp;			/* false: OTEL_SDK_DISABLED or OTEL_METRICS_EXPORTER say no */
	const char *metrics_json, *out, *capture;
	enum loop_kind loop;
};

/* -1: go on; else the exit code, after --help, --version or a message. */
int daemon_options_parse(struct daemon_options *options, int argc, char **argv);
void daemon_options_release(struct daemon_options *options);

/* The URL for metrics of what was given as --endpoint: with /v1/metrics if it has no path of its own. malloc()ed; NULL: no URL. */
char *daemon_endpoint(const char *url);

#endif
