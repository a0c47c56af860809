/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of ktallyd: from its command line, before that from those of OpenTelemetry's environment variables that are not
 * about one request, and before these from the configuration file (config.h).
 */
#ifndef KTALLY_DAEMON_OPTIONS_H
#define KTALLY_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "attribute/deployment.h"
#include "attribute/owner.h"
#include "config/document.h"
#include "daemon/exposition.h"
#include "loop/loop.h"
#include "session/options.h"

/* Of exports, ms. */
#define INTERVAL_LEAST	(1 * 1000)
#define INTERVAL_MOST	(3600 * 1000)

struct daemon_options {
	struct session_options session;
	uint64_t interval;		/* of exports, ms */
	uint64_t stop_timeout;		/* most time for the last export, ms */
	char *endpoint;			/* NULL: as OTEL_EXPORTER_OTLP_* say */
	const char *profiles_endpoint;	/* for profiles on demand; NULL: */
	char *profiles_beside;		/* beside this URL for metrics; NULL: as OTEL_EXPORTER_OTLP_* say */
	uint64_t profile;		/* ms of a profile to be taken at the start, and sent; 0: none */
	uint32_t profile_rate;
	bool otlp;			/* false: OTEL_SDK_DISABLED or OTEL_METRICS_EXPORTER say no */
	bool cumulative;		/* sums by OTLP are since the start, not since the last export */
	const char *elasticsearch;	/* URL, NULL: none */
	const char *elasticsearch_namespace;
	bool prometheus;		/* metrics are served, */
	struct exposition_options exposition;	/* there and so */
	enum owner_level level;		/* how fine time is attributed */
	uint64_t series;		/* most of them, as in struct profile_options */
	struct deployment deployment;
	const char *spool;		/* directory, NULL: what waits to be sent is in memory alone */
	uint64_t spool_bytes;		/* 0: the default */
	const char *metrics_json, *out, *capture;
	const char *json_lines;		/* path, NULL: none */
	uint64_t json_lines_bytes;	/* most of a file, */
	unsigned int json_lines_files;	/* and how many of them */
	const char *control;		/* path of the control socket; NULL: none */
	bool control_asked;		/* for that, by an option */
	const char *control_group;	/* whose members may use it too, NULL: none */
	bool download;			/* of debug files, by debuginfod's client */
	enum loop_kind loop;
	const char *category_sets;	/* NULL: all */
	struct categories *categories;	/* of the file and the sets, compiled */
	bool check_only;		/* --check-config */
	struct document *file;		/* the configuration file, whose texts others point to; NULL: there is none */
};

/* -1: go on; else the exit code, after --help, --version or a message. */
int daemon_options_parse(struct daemon_options *options, int argc, char **argv);
void daemon_options_release(struct daemon_options *options);

/* The URL for metrics of what was given as --endpoint: with /v1/metrics if it has no path of its own. malloc()ed; NULL: no URL. */
char *daemon_endpoint(const char *url);

#endif
