// SPDX-License-Identifier: GPL-2.0-or-later
/* Command lines of ktallyd, and the options that it shares with the commands. */
#include <fcntl.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "daemon/http_server.h"
#include "daemon/options.h"

#define ARGUMENTS_MAX 24

/* What options are refused with is written to standard error, which is a file here. */
static FILE *messages;

static char *last_message(void)
{
	static char text[4096];
	size_t bytes;

	fflush(stderr);
	rewind(messages);
	bytes = fread(text, 1, sizeof(text) - 1, messages);
	text[bytes] = '\0';
	if (ftruncate(fileno(messages), 0))
		abort();
	rewind(messages);
	lseek(STDERR_FILENO, 0, SEEK_SET);
	return text;
}

/* The words of a line, as main() gets them. */
static int parse(struct daemon_options *options, const char *line)
{
	static char copy[1024];
	char *argv[ARGUMENTS_MAX + 1] = { "ktallyd" }, *word;
	int argc = 1, code;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok(copy, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0;
	code = daemon_options_parse(options, argc, argv);
	return code;
}

static void refuses(const char *line, const char *wanted)
{
	struct daemon_options options;
	int code = parse(&options, line);
	char *message = last_message();

	check_number(code, EXIT_USAGE, "ktallyd %s is a usage error", line);
	check(strstr(message, wanted), "and the message speaks of \"%s\"", wanted);
	if (!strstr(message, wanted))
		printf("# %s\n", message);
}

static void test_defaults(void)
{
	struct daemon_options options;

	check_number(parse(&options, ""), -1, "no options are fine");
	check_number(options.interval, 30000, "it exports every 30 s");
	check_number(options.stop_timeout, 5000, "it stops within 5 s");
	check_number(options.loop, LOOP_ANY, "on any loop");
	check(options.session.kernel && options.session.all, "every process, with kernel frames");
	check_number(options.session.rate, 0, "at the module's rate");
	check(!options.session.off_cpu && options.session.keep_ns == 1000000, "without waits; with them, a share of those below 1 ms");
	check(options.otlp && !options.endpoint && !options.prometheus && !options.out && !options.spool && !options.capture && !options.metrics_json, "and writes nothing");
	daemon_options_release(&options);
}

static void test_all(void)
{
	struct daemon_options options;

	check_number(parse(&options, "--rate 199 --depth 64 --no-kernel --budget-ppm 5000 --ring-bytes 1M --interval 1.5 "
			   "--stop-timeout 500ms --spool-bytes 3G --loop poll --off-cpu=20us --wait-min 5us"), -1, "options are taken");
	check_number(options.session.rate, 199, "--rate");
	check_number(options.session.depth, 64, "--depth");
	check(!options.session.kernel, "--no-kernel");
	check_number(options.session.budget_ppm, 5000, "--budget-ppm");
	check_number(options.session.ring_bytes, 1 << 20, "--ring-bytes");
	check(options.session.off_cpu && options.session.keep_ns == 20000, "--off-cpu");
	check_number(options.session.wait_min_ns, 5000, "--wait-min");
	check(options.session.cpus_wanted == SESSION_CPUS_DEFAULT, "on all CPUs but isolated ones");
	check_number(options.interval, 1500, "--interval");
	check_number(options.stop_timeout, 500, "--stop-timeout");
	check_number(options.spool_bytes, 3LL << 30, "--spool-bytes");
	check_number(options.loop, LOOP_POLL, "--loop");
	daemon_options_release(&options);

	check_number(parse(&options, "--out d --capture c --metrics-json m --spool s --endpoint http://h:4318"), -1, "so are places");
	check_string(options.spool, "s", "--spool");
	check_string(options.out, "d", "--out");
	check_string(options.capture, "c", "--capture");
	check_string(options.metrics_json, "m", "--metrics-json");
	check_string(options.endpoint, "http://h:4318/v1/metrics", "--endpoint");
	daemon_options_release(&options);

	check_number(parse(&options, "--json-lines l --json-lines-bytes 2M --json-lines-files 7 --control none --control-group g --profiles-endpoint http://p/x "
			   "--profile 90s --profile-rate 49"), -1, "so are lines, and where profiles are asked for");
	check_string(options.json_lines, "l", "--json-lines");
	check_number(options.json_lines_bytes, 2 << 20, "--json-lines-bytes");
	check_number(options.json_lines_files, 7, "--json-lines-files");
	check_string(options.control, NULL, "--control none");
	check_string(options.control_group, "g", "--control-group");
	check_string(options.profiles_endpoint, "http://p/x", "--profiles-endpoint");
	check_number(options.profile, 90000, "--profile");
	check_number(options.profile_rate, 49, "--profile-rate");
	daemon_options_release(&options);
	check_number(parse(&options, "--cpus 0-3,8"), -1, "so is a list of CPUs");
	check(options.session.cpus_wanted == SESSION_CPUS_GIVEN && options.session.cpus.words[0] == 0x10f, "--cpus");
	daemon_options_release(&options);
	check_number(parse(&options, "--cpus all"), -1, "so are all");
	check(options.session.cpus_wanted == SESSION_CPUS_ALL, "--cpus all");
	daemon_options_release(&options);
	check_number(parse(&options, "--prometheus 9464"), -1, "so is a port");
	check(options.prometheus && http_address_is_loopback(&options.exposition.address) &&
	      http_address_port(&options.exposition.address) == 9464, "--prometheus is on loopback when not told otherwise");
	check(options.otlp && !options.cumulative && !options.elasticsearch, "and nothing is said of sending");
	daemon_options_release(&options);
	check_number(parse(&options, "--temporality cumulative --elasticsearch http://h:9200 --elasticsearch-namespace a"), -1, "so are other backends");
	check(options.cumulative, "--temporality");
	check_string(options.elasticsearch, "http://h:9200", "--elasticsearch");
	check_string(options.elasticsearch_namespace, "a", "--elasticsearch-namespace");
	daemon_options_release(&options);
}

static void test_nonsense(void)
{
	refuses("--cpus 3-1", "0-3,8");
	refuses("--cpus 1,", "0-3,8");
	refuses("--cpus 65536", "that there can be");
	refuses("--rate 0", "1 to 10000");
	refuses("--rate 10001", "1 to 10000");
	refuses("--rate fast", "not a number");
	refuses("--depth 513", "1 to 512");
	refuses("--ring-bytes 100K", "power of two");
	refuses("--ring-bytes 8K", "16384");
	refuses("--budget-ppm 500001", "500000");
	refuses("--off-cpu=1", "give 500ns, 20us, 5ms or 1s");
	refuses("--off-cpu=11s", "0 to 10 seconds");
	refuses("--off-cpu --wait-min 1h", "--wait-min");
	refuses("--wait-min 1ms", "--off-cpu");
	refuses("--interval 0", "--interval");
	refuses("--interval never", "never");
	refuses("--spool-bytes 1000K", "from 1M");
	refuses("--spool-bytes 1025G", "to 1024G");
	refuses("--endpoint localhost:4318", "not a URL");
	refuses("--json-lines-bytes 1", "1K to 1024G");
	refuses("--profile 2h", "--profile");
	refuses("--profile-rate 0", "1 to 10000");
	refuses("--json-lines-files 0", "1 to 1000");
	refuses("--temporality both", "neither delta nor cumulative");
	refuses("--elasticsearch h:9200", "not a URL");
	refuses("--elasticsearch-namespace A-b", "index's name");
	refuses("--prometheus metrics:9464", "no numeric address");
	refuses("--loop epoll", "neither io_uring nor poll");
	refuses("--endpoint http://a --endpoint ftp://b", "not a URL");
	refuses("now", "one word too many");
	refuses("--unknown", "unknown");
	refuses("-p 1", "invalid option");
}

static void test_endpoint(const char *url, const char *wanted)
{
	char *endpoint = daemon_endpoint(url);

	check_string(endpoint, wanted, "endpoint of %s", url);
	free(endpoint);
}

static void test_environment(void)
{
	struct daemon_options options;

	setenv("OTEL_METRIC_EXPORT_INTERVAL", "10000", 1);
	parse(&options, "");
	check_number(options.interval, 10000, "OTEL_METRIC_EXPORT_INTERVAL");
	daemon_options_release(&options);
	parse(&options, "--interval 20");
	check_number(options.interval, 20000, "the option goes before it");
	daemon_options_release(&options);
	last_message();
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "10s", 1);
	parse(&options, "");
	check_number(options.interval, 30000, "nonsense in it is ignored");
	check(strstr(last_message(), "OTEL_METRIC_EXPORT_INTERVAL=10s"), "with a warning");
	daemon_options_release(&options);
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "", 1);
	parse(&options, "");
	check(!last_message()[0], "an empty one is no nonsense");
	daemon_options_release(&options);

	setenv("OTEL_SDK_DISABLED", "TRUE", 1);
	parse(&options, "");
	check(!options.otlp, "OTEL_SDK_DISABLED");
	daemon_options_release(&options);
	unsetenv("OTEL_SDK_DISABLED");
	setenv("OTEL_METRICS_EXPORTER", "none", 1);
	parse(&options, "");
	check(!options.otlp, "OTEL_METRICS_EXPORTER=none");
	daemon_options_release(&options);
	setenv("OTEL_METRICS_EXPORTER", "console", 1);
	parse(&options, "");
	check(options.otlp && strstr(last_message(), "console"), "an exporter that there is none of is ignored with a warning");
	daemon_options_release(&options);
	setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Cumulative", 1);
	parse(&options, "");
	check(options.cumulative, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
	daemon_options_release(&options);
	parse(&options, "--temporality delta");
	check(!options.cumulative, "the option goes before it");
	daemon_options_release(&options);
	last_message();
	setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", 1);
	parse(&options, "");
	check(!options.cumulative && strstr(last_message(), "=both is ignored"), "nonsense in it is ignored with a warning");
	daemon_options_release(&options);
	unsetenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
	setenv("OTEL_METRICS_EXPORTER", "prometheus", 1);
	parse(&options, "");
	check(!options.otlp && options.prometheus && http_address_port(&options.exposition.address) == 9464 &&
	      http_address_is_loopback(&options.exposition.address), "OTEL_METRICS_EXPORTER=prometheus");
	daemon_options_release(&options);
	setenv("OTEL_METRICS_EXPORTER", "otlp, prometheus", 1);
	setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "::", 1);
	setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "9999", 1);
	parse(&options, "");
	check(options.otlp && options.prometheus && http_address_port(&options.exposition.address) == 9999 &&
	      !http_address_is_loopback(&options.exposition.address), "both, and OTEL_EXPORTER_PROMETHEUS_HOST and _PORT");
	daemon_options_release(&options);
	setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "example.com", 1);
	last_message();
	parse(&options, "");
	check(options.otlp && !options.prometheus && strstr(last_message(), "example.com:9999"), "what is no address is ignored with a warning");
	daemon_options_release(&options);
	unsetenv("OTEL_EXPORTER_PROMETHEUS_HOST");
	unsetenv("OTEL_EXPORTER_PROMETHEUS_PORT");
	unsetenv("OTEL_METRICS_EXPORTER");
	unsetenv("OTEL_METRIC_EXPORT_INTERVAL");
}

static int take(struct session_options *options, int option, const char *argument)
{
	session_options_init(options);
	return session_options_take(options, option, argument);
}

static void test_whom(void)
{
	struct session_options options;
	char many[8 * (KTALLY_PIDS_MAX + 1)] = "";
	size_t bytes = 0;

	check_number(take(&options, 'p', "1,22,333"), 1, "-p takes several");
	check_number(options.pid_count, 3, "three");
	check_number(options.pids[2], 333, "the third");
	check_number(session_options_take(&options, 'p', "4"), 1, "-p may be given again");
	check_number(options.pid_count, 4, "and adds to them");
	check_number(session_options_take(&options, 'a', NULL), 1, "-a");
	check(session_options_check(&options) < 0, "contradicts -p");
	check(take(&options, 'p', "") < 0, "-p with nothing is refused");
	check(take(&options, 'p', "1,,2") < 0, "so is an empty one");
	check(take(&options, 'p', "0") < 0, "so is 0");
	check(take(&options, 'p', "-5") < 0, "so is a group");
	check(take(&options, 'p', "2147483648") < 0, "so is more than there can be");
	for (int i = 0; i <= KTALLY_PIDS_MAX; i++)
		bytes += (size_t)snprintf(many + bytes, sizeof(many) - bytes, "%s%d", i ? "," : "", i + 1);
	check(take(&options, 'p', many) < 0, "so are more than %d", KTALLY_PIDS_MAX);

	check(take(&options, 'G', "/nonexistent") < 0, "-G wants a directory that is there");
	check(take(&options, 'G', "/proc/self/status") < 0, "and is one");
	check_number(take(&options, 'G', "/"), 1, "which one is for the module to say");
	check_number(options.cgroup_count, 1, "it is opened");
	session_options_release(&options);
	check_number(options.cgroup_count, 0, "and closed");
	check_number(take(&options, 'x', NULL), 0, "other options are somebody else's");
	last_message();
}

/* As "key=value,", in order. */
static const char *deployment_of(const struct daemon_options *options)
{
	static char text[4096];

	*text = '\0';
	for (size_t i = 0; i < options->deployment.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s,", options->deployment.attributes[i].key,
			 options->deployment.attributes[i].value);
	return text;
}

static void test_attribution(void)
{
	struct daemon_options options;
	char many[2048] = "";

	check_number(parse(&options, "--level service --series 5000 --attribute team=shop --attribute a=b=c --attribute team=web"), -1,
		     "options of attribution are taken");
	check(options.level == OWNER_BY_SERVICE && options.series == 5000, "--level, --series");
	check_string(deployment_of(&options), "team=web,a=b=c,", "--attribute: of a key the last one counts");
	daemon_options_release(&options);
	check(parse(&options, "") == -1 && options.level == OWNER_BY_PROCESS && options.series == 50000, "by process, 50 000 series");
	daemon_options_release(&options);

	setenv("OTEL_RESOURCE_ATTRIBUTES", "team=cart,deployment.environment.name=a%20b", 1);
	setenv("OTEL_SERVICE_NAME", "profiler", 1);
	check_number(parse(&options, "--attribute team=shop"), -1, "the environment is read");
	check_string(deployment_of(&options), "team=shop,deployment.environment.name=a b,service.name=profiler,",
		     "the command line goes first");
	daemon_options_release(&options);
	setenv("OTEL_RESOURCE_ATTRIBUTES", "team=cart,nonsense", 1);
	unsetenv("OTEL_SERVICE_NAME");
	last_message();
	check_number(parse(&options, ""), -1, "what cannot be read is no error");
	check(strstr(last_message(), "OTEL_RESOURCE_ATTRIBUTES is ignored"), "but is said");
	check_number(options.deployment.count, 0, "and is ignored as a whole");
	daemon_options_release(&options);
	unsetenv("OTEL_RESOURCE_ATTRIBUTES");

	refuses("--level galaxy", "host, service, container and process");
	refuses("--series 99", "100 to 1000000");
	refuses("--attribute team", "KEY=VALUE");
	refuses("--attribute =shop", "KEY=VALUE");
	refuses("--attribute team=\033[31m", "KEY=VALUE");
	memset(many, 'v', 300);
	memcpy(many, "--attribute k=", 14);
	refuses(many, "at most 255 bytes");
}

int main(void)
{
	message_program = "ktallyd";
	messages = tmpfile();
	if (!messages || dup2(fileno(messages), STDERR_FILENO) < 0)
		return 1;
	test_defaults();
	test_all();
	test_nonsense();
	test_endpoint("http://localhost:4318", "http://localhost:4318/v1/metrics");
	test_endpoint("http://localhost:4318/", "http://localhost:4318/v1/metrics");
	test_endpoint("https://h/otlp/v1/metrics", "https://h/otlp/v1/metrics");
	test_endpoint("HTTPS://h/x?token=1", "HTTPS://h/x?token=1");
	test_endpoint("http://", NULL);
	test_endpoint("http:///v1/metrics", NULL);
	test_endpoint("file:///etc/passwd", NULL);
	test_environment();
	test_whom();
	test_attribution();
	return check_end();
}
