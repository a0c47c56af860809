// SPDX-License-Identifier: GPL-2.0-or-later
/* What each destination gets of an export, through the loop and a real HTTP server: sink.py. */
#include <signal.h>
#include <unistd.h>

#include "check.h"
#include "daemon/exports.h"
#include "daemon/files.h"
#include "export/prometheus.h"
#include "fake.h"
#include "proto/metrics.pb-c.h"

static char directory[] = "/dev/shm/ktally-exports-XXXXXX";
static int port, taken;

static void add(struct profile *profile, const char *process, uint64_t samples, uint64_t weight)
{
	const struct class class = { .runtime = intern("native"), .area = intern("native/libz"), .shlib_name = intern("libz") };

	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, fake_owner(process), &class, NULL), samples, weight);
	profile->oncpu.samples += samples;
	profile->oncpu.weight += weight;
}

/* The next request's body. false: there is none, or not to that path. */
static bool next_body(const char *path, struct buffer *body)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/%d.%s", directory, taken + 1, path);
	buffer_clear(body);
	if (buffer_read_file(body, name, 64 << 20))
		return false;
	taken++;
	return true;
}

static const char *attribute_of(const Otlp__Resource *resource, const char *key)
{
	for (size_t i = 0; i < resource->n_attributes; i++) {
		if (!strcmp(resource->attributes[i]->key, key))
			return resource->attributes[i]->value->string_value;
	}
	return NULL;
}

struct seen {
	int temporality;
	double seconds;
	uint64_t start, end;
	char instance[64];
	size_t points;
};

/* ktally.cpu.time of the process, from the next request. */
static struct seen next_request(const char *process)
{
	struct buffer body = { 0 };
	struct seen seen = { .temporality = -1 };
	Otlp__ExportMetricsServiceRequest *request = NULL;

	if (check(next_body("v1_metrics", &body), "a request"))
		request = otlp__export_metrics_service_request__unpack(NULL, body.bytes, (uint8_t *)body.data);
	for (size_t i = 0; request && i < request->n_resource_metrics; i++) {
		const Otlp__Resource *resource = request->resource_metrics[i]->resource;
		const Otlp__ScopeMetrics *scope = request->resource_metrics[i]->scope_metrics[0];
		const char *name = attribute_of(resource, "process.executable.name");

		for (size_t j = 0; j < scope->n_metrics; j++) {
			const Otlp__Sum *sum = scope->metrics[j]->sum;

			seen.points += sum->n_data_points;
			if (!name || strcmp(name, process) || strcmp(scope->metrics[j]->name, "ktally.cpu.time"))
				continue;
			seen.temporality = (int)sum->aggregation_temporality;
			seen.seconds = sum->data_points[0]->as_double;
			seen.start = sum->data_points[0]->start_time_unix_nano;
			seen.end = sum->data_points[0]->time_unix_nano;
			snprintf(seen.instance, sizeof(seen.instance), "%s",
				 attribute_of(resource, "service.instance.id") ? attribute_of(resource, "service.instance.id") : "");
		}
	}
	if (request)
		otlp__export_metrics_service_request__free_unpacked(request, NULL);
	buffer_free(&body);
	return seen;
}

static const struct seen none = { .temporality = -1 };

static struct daemon_options options_for(const char *path)
{
	struct daemon_options options = { .otlp = path, .series = 10000, .interval = 1000, .elasticsearch_namespace = "default" };
	struct buffer url = { 0 };

	if (path)
		buffer_format(&url, "http://127.0.0.1:%d/%s", port, path);
	options.endpoint = url.data;
	return options;
}

static void send_all(struct exports *exports, struct profile *profile, uint64_t start, uint64_t end)
{
	const bool impatient = false;

	exports_send(exports, profile, &fake_host, start, end);
	exports_finish(exports, 5000, &impatient);
}

static void write_page(struct exports *exports, struct profile *profile, uint64_t start, struct buffer *page, enum prometheus_format format)
{
	struct metrics totals;

	exports_add_up(exports, profile, &fake_host, start, &totals);
	prometheus_write(page, &totals, format);
	metrics_free(&totals);
}

static void test_delta(struct loop *loop)
{
	struct daemon_options options = options_for("v1/metrics");
	struct profile *profile = fake_profile();
	struct exports *exports;
	struct buffer text = { 0 };
	struct seen seen = none;

	check_number(exports_create(&exports, loop, &options), EXIT_OK, "a collector");
	exports_describe(exports, &text);
	check(strstr(text.data, "exporting to http://127.0.0.1:"), "is told: %s", text.data);
	add(profile, "curl", 1, 1000000000);
	send_all(exports, profile, 100, 200);
	seen = next_request("curl");
	check(seen.temporality == 1 && seen.seconds == 1 && seen.start == 100 && seen.end == 200 && !*seen.instance, "gets delta sums");
	add(profile, "curl", 1, 500000000);
	send_all(exports, profile, 200, 300);
	seen = next_request("curl");
	check(seen.temporality == 1 && seen.seconds == 0.5 && seen.start == 200 && seen.end == 300, "and what is new the next time");
	send_all(exports, profile, 300, 400);
	seen = next_request("curl");
	check(seen.temporality == -1 && seen.points > 0 && seen.points < 6, "what has nothing new is left out: there are requests to tell of, by %zu points",
	      seen.points);
	exports_destroy(exports);
	free(options.endpoint);
	fake_free(profile);
	buffer_free(&text);
}

static void test_all(struct loop *loop)
{
	struct daemon_options options = options_for("v1/metrics");
	struct profile *profile = fake_profile();
	struct buffer page = { 0 }, body = { 0 };
	struct exports *exports;
	struct seen seen = none;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	options.elasticsearch = url;
	options.prometheus = options.cumulative = true;
	check_number(exports_create(&exports, loop, &options), EXIT_OK, "all of them");
	add(profile, "curl", 1, 1000000000);
	for (int i = 0; i < 2; i++) {
		buffer_clear(&page);
		write_page(exports, profile, 100, &page, PROMETHEUS_TEXT);
		check(strstr(page.data, "ktally_area=\"native/libz\",cpu_mode=\"user\"} 1\n"), "a page has what no export had yet");
	}
	send_all(exports, profile, 100, 200);
	for (int i = 0; i < 2; i++) {
		if (next_body("_bulk", &body))
			check(strstr(body.data, ",\"ktally.cpu.time\":1,"), "Elasticsearch gets documents");
		else
			seen = next_request("curl");
	}
	check(seen.temporality == 2 && seen.seconds == 1 && seen.start == 100 && seen.end == 200, "a collector gets cumulative sums");
	check_string(seen.instance, "testhost/curl", "of an instance with a name");
	add(profile, "curl", 1, 500000000);
	send_all(exports, profile, 200, 300);
	for (int i = 0; i < 2; i++) {
		if (next_body("_bulk", &body))
			check(strstr(body.data, ",\"ktally.cpu.time\":0.5,"), "what is new the next time");
		else
			seen = next_request("curl");
	}
	check(seen.temporality == 2 && seen.seconds == 1.5 && seen.start == 100 && seen.end == 300, "and everything, since the same start");
	buffer_clear(&page);
	add(profile, "curl", 1, 250000000);
	write_page(exports, profile, 300, &page, PROMETHEUS_OPENMETRICS);
	check(strstr(page.data, "ktally_area=\"native/libz\",cpu_mode=\"user\"} 1.75\n"), "and a page has it all, and what came since");
	exports_destroy(exports);
	free(options.endpoint);
	fake_free(profile);
	buffer_free(&body);
	buffer_free(&page);
}

static void test_many(struct loop *loop)
{
	struct daemon_options options = options_for("v1/metrics");
	struct profile *profile = fake_profile();
	struct exports *exports;
	size_t points = 0;

	check_number(exports_create(&exports, loop, &options), EXIT_OK, "a collector");
	for (unsigned int i = 0; i < 2500; i++) {
		char name[32];

		snprintf(name, sizeof(name), "process%u", i);
		add(profile, name, 1, 1000);
	}
	send_all(exports, profile, 100, 200);
	for (int i = 0; i < 2; i++) {
		struct seen seen = next_request("");

		check(seen.points > 2000 && seen.points < METRICS_POINTS_OF_A_REQUEST + 10, "%zu points in a request", seen.points);
		points += seen.points;
	}
	check_number(points, 3 * 2500 + 2, "many are several requests, with all of them");
	exports_destroy(exports);
	free(options.endpoint);
	fake_free(profile);
}

/* Seconds of ktally.cpu.time of all owners in a file of metrics, each sum of which must be cumulative; -1: some is not. */
static double seconds_in(const char *path)
{
	struct buffer json = { 0 };
	char *at, *end;
	double sum = 0;

	if (buffer_read_file(&json, path, 1 << 20))
		return -1;
	buffer_append(&json, "", 0);
	for (at = json.data; (at = strstr(at, "{\"name\":\"ktally.cpu.time\"")); at = end) {
		end = strstr(at, "]}}");
		if (!end || memcmp(strstr(at, "\"sum\":"), "\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true", 50))
			return -1;
		while ((at = strstr(at, "\"asDouble\":")) && at < end) {
			at += strlen("\"asDouble\":");
			sum += strtod(at, NULL);
		}
	}
	buffer_free(&json);
	return sum;
}

/* A file has everything since the start, whatever the tally forgets. */
static void test_file(struct loop *loop)
{
	struct daemon_options options = options_for(NULL);
	struct profile *profile = fake_profile();
	struct files files = { .count = 0 };
	struct exports *exports;
	struct metrics totals;
	double before = 0;
	char path[128];

	snprintf(path, sizeof(path), "%s/metrics.json", directory);
	options.metrics_json = path;
	files_add(&files, NULL, path, NULL, 0);
	check_number(exports_create(&exports, loop, &options), EXIT_OK, "a file of metrics");
	for (uint64_t i = 0; i < 5; i++) {
		bool is_right;

		if (i < 2)
			add(profile, i ? "wget" : "curl", 1, 1000000000);
		send_all(exports, profile, i + 1, i + 2);
		exports_add_up(exports, profile, &fake_host, i + 2, &totals);
		files_write(&files, profile, &fake_host, &totals);
		metrics_free(&totals);
		is_right = seconds_in(path) >= before && seconds_in(path) == (i ? 2 : 1);
		check(is_right, "sums do not fall: %g s, then %g s", before, seconds_in(path));
		before = seconds_in(path);
		tally_forget(profile->oncpu.tally);
		if (i == 3) {
			size_t count;

			tally_rows(profile->oncpu.tally, &count);
			check_number(count, 0, "although the tally has forgotten all");
		}
	}
	check(!files.failed, "it can always be written");
	files_release(&files);
	exports_destroy(exports);
	fake_free(profile);
}

static void test_none(struct loop *loop)
{
	struct daemon_options options = options_for(NULL);
	struct profile *profile = fake_profile();
	struct exports *exports;
	struct buffer text = { 0 };
	const struct tally_row *row;
	size_t count;

	check_number(exports_create(&exports, loop, &options), EXIT_OK, "nowhere");
	exports_describe(exports, &text);
	check_string(text.data, "not exporting", "is told");
	add(profile, "curl", 1, 1000000000);
	send_all(exports, profile, 100, 200);
	row = tally_rows(profile->oncpu.tally, &count)[0];
	check_number(row->weight_exported, 1000000000, "all the same it has gone out: rows can make room");
	exports_destroy(exports);
	options.elasticsearch = "ftp://x";
	check_number(exports_create(&exports, loop, &options), EXIT_USAGE, "nonsense is a usage error");
	fake_free(profile);
	buffer_free(&text);
}

int main(void)
{
	struct loop *loop;
	char command[256];
	FILE *server;
	int pid;

	signal(SIGPIPE, SIG_IGN);
	if (!fake_have("python3")) {
		check_skip("no python3", "exports");
		return check_end();
	}
	if (!mkdtemp(directory) || loop_create(&loop, LOOP_POLL))
		return 1;
	snprintf(command, sizeof(command), "python3 tests/user/sink.py %s", directory);
	server = popen(command, "r");
	if (check(server && fscanf(server, "%d %d", &pid, &port) == 2, "a server")) {
		test_delta(loop);
		test_all(loop);
		test_many(loop);
		test_file(loop);
		test_none(loop);
		kill(pid, SIGTERM);
	}
	pclose(server);
	loop_destroy(loop);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
