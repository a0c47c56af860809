// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "base/number.h"
#include "classify/category_sets.h"
#include "config/categories.h"
#include "config/config.h"
#include "control/packet.h"
#include "control/request.h"
#include "daemon/check.h"
#include "daemon/http_server.h"
#include "daemon/lines.h"
#include "daemon/options.h"
#include "daemon/variables.h"
#include "export/elasticsearch.h"
#include "export/queue.h"
#include "lib/libktally.h"
#include "symbols/download.h"

#define INTERVAL_DEFAULT	(30 * 1000)
#define STOP_TIMEOUT_DEFAULT	(5 * 1000)
#define STOP_TIMEOUT_MOST	(600 * 1000)
#define SERIES_DEFAULT		50000
#define SERIES_LEAST		100
#define SERIES_MOST		1000000
#define SPOOL_BYTES_MOST	(1ULL << 40)

enum {
	OPTION_INTERVAL = 1,
	OPTION_ENDPOINT,
	OPTION_TEMPORALITY,
	OPTION_PROMETHEUS,
	OPTION_PROMETHEUS_GROUP,
	OPTION_PROMETHEUS_TOKEN,
	OPTION_ELASTICSEARCH,
	OPTION_ELASTICSEARCH_NAMESPACE,
	OPTION_METRICS_JSON,
	OPTION_OUT,
	OPTION_CAPTURE,
	OPTION_LOOP,
	OPTION_STOP_TIMEOUT,
	OPTION_JSON_LINES,
	OPTION_JSON_LINES_BYTES,
	OPTION_JSON_LINES_FILES,
	OPTION_CONTROL,
	OPTION_PROFILES_ENDPOINT,
	OPTION_PROFILE,
	OPTION_PROFILE_RATE,
	OPTION_CONTROL_GROUP,
	OPTION_LEVEL,
	OPTION_SERIES,
	OPTION_ATTRIBUTE,
	OPTION_SPOOL,
	OPTION_SPOOL_BYTES,
	OPTION_CONFIG,
	OPTION_NO_CONFIG,
	OPTION_CHECK_CONFIG,
	OPTION_CATEGORY_SETS,
	OPTION_DOWNLOAD,
};

static const char help[] =
	"usage: ktallyd [options]\n"
	"\n"
	"Samples what every CPU of this host does and sends the totals as OTLP metrics, until SIGTERM.\n"
	"\n"
	"      --endpoint URL      OTLP/HTTP collector (OTEL_EXPORTER_OTLP_*); without one nothing is sent\n"
	"      --interval TIME     between exports (30s)\n"
	"      --stop-timeout TIME most time for the last export at the end (5s)\n"
	"      --temporality KIND  of sums by OTLP: delta or cumulative (delta)\n"
	"      --elasticsearch URL send the metrics to Elasticsearch too (KTALLY_ELASTICSEARCH_*)\n"
	"      --elasticsearch-namespace NAME  of the data streams (default)\n"
	"      --prometheus [ADDRESS:]PORT\n"
	"                          serve the metrics to Prometheus, on 127.0.0.1 when no address is given; or unix:/PATH\n"
	"      --prometheus-token FILE  for who shows the token of that file\n"
	"      --prometheus-group GROUP  whose members may connect to that path\n"
	"      --spool DIR         keep what waits to be sent on disk, so that it survives\n"
	"      --spool-bytes BYTES most of that for each destination (256M)\n"
	"      --metrics-json FILE write the metrics to FILE as JSON too, at each export\n"
	"      --json-lines FILE   append what came in each interval to FILE, a line of JSON for each series\n"
	"      --json-lines-bytes N  most bytes of that file (64M); then it becomes FILE.1, and so on\n"
	"      --json-lines-files N  most such files (4)\n"
	"      --out DIR           keep whole profiles and write them to DIR at the end and at SIGHUP\n"
	"      --capture FILE      write the raw stream of records to FILE\n"
	"      --control PATH      where `ktally profile` asks (" CONTROL_PATH "), or none\n"
	"      --control-group GROUP  its members may ask too, besides root\n"
	"      --profile TIME      take a whole profile of so long at the start, and send it\n"
	"      --profile-rate HZ   with so many samples per second and CPU (99)\n"
	"      --profiles-endpoint URL  full URL that such profiles are sent to, if it is not beside that of metrics\n"
	"      --level LEVEL       whose time it is: by host, service, container or process (process)\n"
	"      --series N          most series of time; the rest is counted under \"other\" (50000)\n"
	"      --attribute KEY=VALUE  to be said of everything; may be given again (OTEL_RESOURCE_ATTRIBUTES)\n"
	"      --download          debug files that are not here from the servers of DEBUGINFOD_URLS\n"
	"      --loop KIND         io_uring or poll (io_uring, and poll where that is disabled)\n"
	"\n";

static const char help_config[] =
	"      --config FILE       options and categories (" CONFIG_DEFAULT ", if it is there), see ktally.yaml(5)\n"
	"      --no-config         read no such file\n"
	"      --category-sets SETS  ready-made categories: all (default), none, or some: gc,locking\n"
	"      --check-config      say whether all of that can be used, and exit\n";

static const char help_end[] =
	"      --help, --version\n"
	"\n"
	"TIME is in seconds, or with a suffix: 1500ms, 30s, 5m; BYTES may have a suffix\n"
	"K, M or G. See ktallyd(8).\n";

static const struct option long_options[] = {
	SESSION_LONG_HOW,
	SESSION_LONG_RIGHTS,
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "endpoint", required_argument, NULL, OPTION_ENDPOINT },
	{ "temporality", required_argument, NULL, OPTION_TEMPORALITY },
	{ "elasticsearch", required_argument, NULL, OPTION_ELASTICSEARCH },
	{ "elasticsearch-namespace", required_argument, NULL, OPTION_ELASTICSEARCH_NAMESPACE },
	{ "prometheus", required_argument, NULL, OPTION_PROMETHEUS },
	{ "prometheus-group", required_argument, NULL, OPTION_PROMETHEUS_GROUP },
	{ "prometheus-token", required_argument, NULL, OPTION_PROMETHEUS_TOKEN },
	{ "metrics-json", required_argument, NULL, OPTION_METRICS_JSON },
	{ "out", required_argument, NULL, OPTION_OUT },
	{ "capture", required_argument, NULL, OPTION_CAPTURE },
	{ "download", no_argument, NULL, OPTION_DOWNLOAD },
	{ "loop", required_argument, NULL, OPTION_LOOP },
	{ "spool", required_argument, NULL, OPTION_SPOOL },
	{ "spool-bytes", required_argument, NULL, OPTION_SPOOL_BYTES },
	{ "stop-timeout", required_argument, NULL, OPTION_STOP_TIMEOUT },
	{ "json-lines", required_argument, NULL, OPTION_JSON_LINES },
	{ "json-lines-bytes", required_argument, NULL, OPTION_JSON_LINES_BYTES },
	{ "json-lines-files", required_argument, NULL, OPTION_JSON_LINES_FILES },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "profile", required_argument, NULL, OPTION_PROFILE },
	{ "profile-rate", required_argument, NULL, OPTION_PROFILE_RATE },
	{ "profiles-endpoint", required_argument, NULL, OPTION_PROFILES_ENDPOINT },
	{ "control-group", required_argument, NULL, OPTION_CONTROL_GROUP },
	{ "level", required_argument, NULL, OPTION_LEVEL },
	{ "series", required_argument, NULL, OPTION_SERIES },
	{ "attribute", required_argument, NULL, OPTION_ATTRIBUTE },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "no-config", no_argument, NULL, OPTION_NO_CONFIG },
	{ "check-config", no_argument, NULL, OPTION_CHECK_CONFIG },
	{ "category-sets", required_argument, NULL, OPTION_CATEGORY_SETS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ }
};

/* Of these, what a file cannot say. */
static const char *const barred[] = { "config", "no-config", "check-config", "help", "version", NULL };

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

static int take_duration(const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *result)
{
	if (!number_parse_duration(text, least, most, result))
		return -1;
	message_error("%s: \"%s\" is not a time of %llu to %llu seconds", name, text, (unsigned long long)least / 1000,
		      (unsigned long long)most / 1000);
	return EXIT_USAGE;
}

static int take_spool_bytes(struct daemon_options *options, const char *text)
{
	if (!number_parse_bytes(text, QUEUE_SPOOL_LEAST, SPOOL_BYTES_MOST, &options->spool_bytes))
		return -1;
	message_error("--spool-bytes: \"%s\" is not a number of bytes from 1M to 1024G", text);
	return EXIT_USAGE;
}

static int take_endpoint(struct daemon_options *options, const char *url)
{
	free(options->endpoint);
	free(options->profiles_beside);
	options->endpoint = daemon_endpoint(url);
	options->profiles_beside = daemon_endpoint(url);
	if (options->endpoint)
		return -1;
	message_error("--endpoint: \"%s\" is not a URL: give http://HOST:4318 or https://HOST/PATH", url);
	return EXIT_USAGE;
}

static int take_files(struct daemon_options *options, const char *text)
{
	uint64_t number;

	if (number_parse(text, 1, LINES_FILES_MOST, &number)) {
		message_error("--json-lines-files: \"%s\" is not a number from 1 to %d", text, LINES_FILES_MOST);
		return EXIT_USAGE;
	}
	options->json_lines_files = (unsigned int)number;
	return -1;
}

static int take_temporality(struct daemon_options *options, const char *kind)
{
	options->cumulative = !strcmp(kind, "cumulative");
	if (options->cumulative || !strcmp(kind, "delta"))
		return -1;
	message_error("--temporality: \"%s\" is neither delta nor cumulative", kind);
	return EXIT_USAGE;
}

static int check_access(const struct daemon_options *options)
{
	const struct exposition_options *exposition = &options->exposition;

	if (options->prometheus || (!exposition->token && !exposition->group))
		return -1;
	message_error("%s is about --prometheus: give that too", exposition->token ? "--prometheus-token" : "--prometheus-group");
	return EXIT_USAGE;
}

/* What else may be wrong with it is told when it is used. */
static int take_elasticsearch(struct daemon_options *options, const char *url)
{
	options->elasticsearch = url;
	if (!strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8))
		return -1;
	message_error("--elasticsearch: \"%s\" is not a URL: give http://HOST:9200 or https://HOST:9200", url);
	return EXIT_USAGE;
}

static int take_namespace(struct daemon_options *options, const char *name)
{
	options->elasticsearch_namespace = name;
	if (elasticsearch_namespace_is_good(name))
		return -1;
	message_error("--elasticsearch-namespace: \"%s\" cannot be part of an index's name: use lower case letters, digits, _ and .", name);
	return EXIT_USAGE;
}

static int take_prometheus(struct daemon_options *options, const char *text)
{
	options->prometheus = !http_address_parse(text, &options->exposition.address);
	if (options->prometheus)
		return -1;
	message_error("--prometheus: \"%s\" is no port, and no numeric address with a port: give 9464, 192.0.2.1:9464, [::1]:9464 or unix:/PATH",
		      text);
	return EXIT_USAGE;
}

static int take_profile_rate(struct daemon_options *options, const char *text)
{
	uint64_t rate;

	if (number_parse(text, KTALLY_RATE_MIN, KTALLY_RATE_MAX, &rate)) {
		message_error("--profile-rate: \"%s\" is not a number from %d to %d", text, KTALLY_RATE_MIN, KTALLY_RATE_MAX);
		return EXIT_USAGE;
	}
	options->profile_rate = (uint32_t)rate;
	return -1;
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

static int take_level(struct daemon_options *options, const char *name)
{
	if (!owner_level_of(name, &options->level))
		return -1;
	message_error("--level: \"%s\" is none of host, service, container and process", name);
	return EXIT_USAGE;
}

static int take_series(struct daemon_options *options, const char *text)
{
	if (!number_parse(text, SERIES_LEAST, SERIES_MOST, &options->series))
		return -1;
	message_error("--series: \"%s\" is not a number of %d to %d", text, SERIES_LEAST, SERIES_MOST);
	return EXIT_USAGE;
}

static int take_attribute(struct daemon_options *options, const char *text)
{
	if (!deployment_set_text(&options->deployment, text))
		return -1;
	message_error("--attribute: \"%s\" cannot be used: give KEY=VALUE, each of at most %d bytes, no more than %d times", text,
		      OWNER_VALUE_BYTES - 1, DEPLOYMENT_MOST);
	return EXIT_USAGE;
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
	case OPTION_TEMPORALITY:
		return take_temporality(options, argument);
	case OPTION_ELASTICSEARCH:
		return take_elasticsearch(options, argument);
	case OPTION_ELASTICSEARCH_NAMESPACE:
		return take_namespace(options, argument);
	case OPTION_PROMETHEUS:
		return take_prometheus(options, argument);
	case OPTION_PROMETHEUS_GROUP:
		options->exposition.group = argument;
		return -1;
	case OPTION_PROMETHEUS_TOKEN:
		options->exposition.token = argument;
		return -1;
	case OPTION_SPOOL:
		options->spool = argument;
		return -1;
	case OPTION_SPOOL_BYTES:
		return take_spool_bytes(options, argument);
	case OPTION_METRICS_JSON:
		options->metrics_json = argument;
		return -1;
	case OPTION_OUT:
		options->out = argument;
		return -1;
	case OPTION_CAPTURE:
		options->capture = argument;
		return -1;
	case OPTION_LEVEL:
		return take_level(options, argument);
	case OPTION_SERIES:
		return take_series(options, argument);
	case OPTION_ATTRIBUTE:
		return take_attribute(options, argument);
	case OPTION_DOWNLOAD:
		options->download = true;
		return -1;
	case OPTION_LOOP:
		return take_loop(options, argument);
	case OPTION_JSON_LINES:
		options->json_lines = argument;
		return -1;
	case OPTION_JSON_LINES_BYTES:
		if (!number_parse_bytes(argument, 1 << 10, 1ULL << 40, &options->json_lines_bytes))
			return -1;
		message_error("--json-lines-bytes: \"%s\" is not a number of bytes from 1K to 1024G", argument);
		return EXIT_USAGE;
	case OPTION_JSON_LINES_FILES:
		return take_files(options, argument);
	case OPTION_CONTROL:
		options->control = strcmp(argument, "none") ? argument : NULL;
		options->control_asked = options->control;
		return -1;
	case OPTION_PROFILE:
		return take_duration("--profile", argument, 0, REQUEST_DURATION_MOST, &options->profile);
	case OPTION_PROFILE_RATE:
		return take_profile_rate(options, argument);
	case OPTION_PROFILES_ENDPOINT:
		options->profiles_endpoint = argument;
		return -1;
	case OPTION_CONTROL_GROUP:
		options->control_group = argument;
		return -1;
	case OPTION_CONFIG:
	case OPTION_NO_CONFIG:
		return -1;		/* see read_file() */
	case OPTION_CATEGORY_SETS:
		options->category_sets = argument;
		return category_sets_check(argument) ? EXIT_USAGE : -1;
	case OPTION_CHECK_CONFIG:
		options->check_only = true;
		return -1;
	case 'h':
		printf("%s%s%s%s%s", help, session_help_how, session_help_here, help_config, help_end);
		return EXIT_OK;
	case 'V':
		printf("ktallyd %s\n", ktally_version());
		return EXIT_OK;
	default:
		return session_options_take(&options->session, option, argument) == 1 ? -1 : EXIT_USAGE;
	}
}

/* Which file it is must be known before the options that go before it. NULL: none. */
static const char *file_to_read(int argc, char **argv, bool *named)
{
	const char *path = CONFIG_DEFAULT;
	int option, errors = opterr;

	*named = false;
	opterr = 0;
	while ((option = getopt_long(argc, argv, SESSION_SHORT_HOW, long_options, NULL)) != -1) {
		if (option == OPTION_CONFIG) {
			path = optarg;
			*named = true;
		} else if (option == OPTION_NO_CONFIG || option == 'h' || option == 'V') {
			path = NULL;
			break;
		}
	}
	opterr = errors;
	optind = 0;		/* to begin anew */
	return path;
}

static int take_from_file(void *context, int option, const char *argument)
{
	return take(context, option, argument);
}

static int read_file(struct daemon_options *options, const char *path, bool named)
{
	if (!path || (!named && access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR)))
		return -1;
	if (document_read(&options->file, path))
		return EXIT_USAGE;
	return config_take_options(options->file, long_options, barred, take_from_file, options);
}

int daemon_options_parse(struct daemon_options *options, int argc, char **argv)
{
	int option, code;
	const char *path;
	bool named;

	*options = (struct daemon_options){
		.interval = INTERVAL_DEFAULT, .stop_timeout = STOP_TIMEOUT_DEFAULT, .series = SERIES_DEFAULT, .otlp = true,
		.control = CONTROL_PATH, .profile_rate = 99,
		.json_lines_bytes = LINES_BYTES_DEFAULT, .json_lines_files = LINES_FILES_DEFAULT,
		.elasticsearch_namespace = "default", .loop = LOOP_ANY,
	};
	session_options_init(&options->session);
	options->session.all = true;
	path = file_to_read(argc, argv, &named);
	code = read_file(options, path, named);
	variables_read(options);
	while (code < 0 && (option = getopt_long(argc, argv, SESSION_SHORT_HOW, long_options, NULL)) != -1)
		code = take(options, option, optarg);
	if (code < 0 && optind < argc) {
		message_error("\"%s\" is one word too many: ktallyd takes options only, see ktallyd --help", argv[optind]);
		code = EXIT_USAGE;
	}
	if (code < 0 && session_options_check(&options->session))
		code = EXIT_USAGE;
	if (code < 0)
		code = check_access(options);
	if (code < 0) {
		options->categories = config_categories(options->file, options->category_sets);
		code = options->categories ? -1 : EXIT_USAGE;
	}
	if (code < 0 && options->download && download_allow(DOWNLOAD_LATER))
		code = EXIT_USAGE;
	if (code < 0 && options->check_only)
		code = check_start(options, options->file ? path : "there is no file");
	if (code < 0)
		return -1;
	daemon_options_release(options);
	return code;
}

void daemon_options_release(struct daemon_options *options)
{
	session_options_release(&options->session);
	deployment_release(&options->deployment);
	free(options->endpoint);
	free(options->profiles_beside);
	options->endpoint = options->profiles_beside = NULL;
	categories_destroy(options->categories);
	options->categories = NULL;
	document_free(options->file);
	options->file = NULL;
}
