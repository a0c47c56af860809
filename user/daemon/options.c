// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/message.h"
#include "base/number.h"
#include "daemon/options.h"
#include "lib/libktally.h"

#define INTERVAL_DEFAULT	(30 * 1000)
#define INTERVAL_LEAST		(1 * 1000)
#define INTERVAL_MOST		(3600 * 1000)
#define STOP_TIMEOUT_DEFAULT	(5 * 1000)
#define STOP_TIMEOUT_MOST	(600 * 1000)

enum {
	OPTION_INTERVAL = 1,
	OPTION_ENDPOINT,
	OPTION_METRICS_JSON,
	OPTION_OUT,
	OPTION_CAPTURE,
	OPTION_LOOP,
	OPTION_STOP_TIMEOUT,
};

static const char help[] =
	"usage: ktallyd [options]\n"
	"\n"
	"Samples what every CPU of this host does and sends the totals as OTLP metrics, until SIGTERM.\n"
	"\n"
	"      --endpoint URL      OTLP/HTTP collector (OTEL_EXPORTER_OTLP_*); without one nothing is sent\n"
	"      --interval TIME     between exports (30s)\n"
	"      --stop-timeout TIME most time for the last export at the end (5s)\n"
	"      --metrics-json FILE write the metrics to FILE as JSON too, at each export\n"
	"      --out DIR           keep whole profiles and write them to DIR at the end and at SIGHUP\n"
	"      --capture FILE      write the raw stream of records to FILE\n"
	"      --loop KIND         io_uring or poll (io_uring, and poll where that is disabled)\n"
	"\n";

static const char help_end[] =
	"      --help, --version\n"
	"\n"
	"TIME is in seconds, or with a suffix: 500ms, 30s, 5m. See ktallyd(8).\n";

static const struct option long_options[] = {
	SESSION_LONG_HOW,
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "endpoint", required_argument, NULL, OPTION_ENDPOINT },
	{ "metrics-json", required_argument, NULL, OPTION_METRICS_JSON },
	{ "out", required_argument, NULL, OPTION_OUT },
	{ "capture", required_argument, NULL, OPTION_CAPTURE },
	{ "loop", required_argument, NULL, OPTION_LOOP },
	{ "stop-timeout", required_argument, NULL, OPTION_STOP_TIMEOUT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ }
};

char *daemon_endpoint(const char *url)
{
	struct buffer endpoint = { 0 };
	const char *host, *path;

	if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8))
		return NULL;
	host = strstr(url, "//") + 2;
	path = host + strcspn(host, "/?#");
	if (path == host)
		return NULL;
	buffer_string(&endpoint, url);
	if (!*path)
		buffer_string(&endpoint, "/v1/metrics");
	else if (!strcmp(path, "/"))
		buffer_string(&endpoint, "v1/metrics");
	return endpoint.data;
}

static bool set(const char *variable, const char **value)
{
	*value = getenv(variable);
	return *value && **value;
}

/* As OpenTelemetry has it: empty is unset, and what cannot be read is ignored with a warning. */
static void read_environment(struct daemon_options *options)
{
	const char *value;
	uint64_t number;

	if (set("OTEL_METRIC_EXPORT_INTERVAL", &value)) {
		if (number_parse(value, INTERVAL_LEAST, INTERVAL_MOST, &number))
			message_warning("OTEL_METRIC_EXPORT_INTERVAL=%s is ignored: it must be %d to %d (milliseconds)", value,
					INTERVAL_LEAST, INTERVAL_MOST);
		else
			options->interval = number;
	}
	if (set("OTEL_SDK_DISABLED", &value) && !strcasecmp(value, "true"))
		options->otlp = false;
	if (set("OTEL_METRICS_EXPORTER", &value) && strcmp(value, "otlp")) {
		if (strcmp(value, "none"))
			message_warning("OTEL_METRICS_EXPORTER=%s is ignored: ktallyd knows otlp and none", value);
		else
			options->otlp = false;
	}
}

static int take_duration(const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *result)
{
	if (!number_parse_duration(text, least, most, result))
		return -1;
	message_error("%s: \"%s\" is not a time of %llu to %llu seconds", name, text, (unsigned long long)least / 1000,
		      (unsigned long long)most / 1000);
	return EXIT_USAGE;
}

static int take_endpoint(struct daemon_options *options, const char *url)
{
	free(options->endpoint);
	options->endpoint = daemon_endpoint(url);
	if (options->endpoint)
		return -1;
	message_error("--endpoint: \"%s\" is not a URL: give http://HOST:4318 or https://HOST/PATH", url);
	return EXIT_USAGE;
}

static int take_loop(struct daemon_options *options, const char *kind)
{
	if (!strcmp(kind, "io_uring")) {
		options->loop = LOOP_IO_URING;
	} else if (!strcmp(kind, "poll")) {
		options->loop = LOOP_POLL;
	} else {
		message_error("--loop: \"%s\" is neither io_uring nor poll", kind);
		return EXIT_USAGE;
	}
	return -1;
}

static int take(struct daemon_options *options, int option, const char *argument)
{
	switch (option) {
	case OPTION_INTERVAL:
		return take_duration("--interval", argument, INTERVAL_LEAST, INTERVAL_MOST, &options->interval);
	case OPTION_STOP_TIMEOUT:
		return take_duration("--stop-timeout", argument, 0, STOP_TIMEOUT_MOST, &options->stop_timeout);
	case OPTION_ENDPOINT:
		return take_endpoint(options, argument);
	case OPTION_METRICS_JSON:
		options->metrics_json = argument;
		return -1;
	case OPTION_OUT:
		options->out = argument;
		return -1;
	case OPTION_CAPTURE:
		options->capture = argument;
		return -1;
	case OPTION_LOOP:
		return take_loop(options, argument);
	case 'h':
		printf("%s%s%s", help, session_help_how, help_end);
		return EXIT_OK;
	case 'V':
		printf("ktallyd %s\n", ktally_version());
		return EXIT_OK;
	default:
		return session_options_take(&options->session, option, argument) == 1 ? -1 : EXIT_USAGE;
	}
}

int daemon_options_parse(struct daemon_options *options, int argc, char **argv)
{
	int option, code = -1;

	*options = (struct daemon_options){
		.interval = INTERVAL_DEFAULT, .stop_timeout = STOP_TIMEOUT_DEFAULT, .otlp = true, .loop = LOOP_ANY,
	};
	session_options_init(&options->session);
	options->session.all = true;
	read_environment(options);
	while (code < 0 && (option = getopt_long(argc, argv, SESSION_SHORT_HOW, long_options, NULL)) != -1)
		code = take(options, option, optarg);
	if (code < 0 && optind < argc) {
		message_error("\"%s\" is one word too many: ktallyd takes options only, see ktallyd --help", argv[optind]);
		code = EXIT_USAGE;
	}
	if (code < 0 && session_options_check(&options->session))
		code = EXIT_USAGE;
	if (code < 0)
		return -1;
	daemon_options_release(options);
	return code;
}

void daemon_options_release(struct daemon_options *options)
{
	session_options_release(&options->session);
	free(options->endpoint);
	options->endpoint = NULL;
}
