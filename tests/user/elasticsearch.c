// SPDX-License-Identifier: GPL-2.0-or-later
/* Documents for Elasticsearch, and its answers: against a server that is as strict as the templates, elasticsearch.py. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "export/elasticsearch.h"
#include "fake.h"

static char log_path[] = "/tmp/ktally-elasticsearch-XXXXXX";
static int port;

static struct class class_of(const char *runtime, const char *area, const char *kernel_area, const char *shlib)
{
	return (struct class){
		.runtime = intern(runtime), .area = intern(area), .kernel_area = intern(kernel_area), .shlib_name = intern(shlib),
		.kernel_proto = kernel_area ? intern("tcp") : NULL, .kernel_io = kernel_area ? intern("write") : NULL,
	};
}

static void add(struct profile *profile, const char *process, struct class class, const char *syscall, uint64_t samples, uint64_t weight)
{
	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, fake_owner(process), &class, intern(syscall)), samples, weight);
	profile->oncpu.samples += samples;
	profile->oncpu.weight += weight;
}

/* ---- documents ---- */

struct batches {
	struct buffer all;
	unsigned int batches;
	size_t documents, longest, most_bytes;
};

static void take_batch(void *context, const struct buffer *batch, size_t documents)
{
	struct batches *batches = context;

	buffer_append(&batches->all, batch->data, batch->bytes);
	batches->batches++;
	batches->documents += documents;
	batches->longest = documents > batches->longest ? documents : batches->longest;
	batches->most_bytes = batch->bytes > batches->most_bytes ? batch->bytes : batches->most_bytes;
}

static struct batches write_all(struct profile *profile, uint64_t start, uint64_t end)
{
	struct batches batches = { .batches = 0 };
	struct metrics metrics;

	buffer_string(&batches.all, "");
	metrics_build(&metrics, profile, &fake_host, start, end, false);
	elasticsearch_write(&metrics, "prod", take_batch, &batches);
	metrics_free(&metrics);
	return batches;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (text = strstr(text, what); text; text = strstr(text + strlen(what), what))
		count++;
	return count;
}

static struct profile *example(void)
{
	struct profile *profile = fake_profile();

	add(profile, "curl", class_of("kernel", "kernel/network/tcp/write", "network", NULL), "write", 10, 100000000);
	add(profile, "curl", class_of("native", "native/libz", NULL, "libz"), NULL, 7, 1500000000);
	add(profile, "j\"va", class_of("jvm", "jvm", NULL, NULL), NULL, 3, 1000000000);
	profile->lost[KTALLY_LOST_FULL] = (struct ktally_loss){ 8, 80000000 };
	return profile;
}

static void documents(void)
{
	static const char *const expected[] = {
		"{\"create\":{\"_index\":\"metrics-ktally.tally-prod\"}}\n{\"@timestamp\":\"2023-11-14T22:15:00.250Z\",\"start_timestamp\":"
			"\"2023-11-14T22:14:30.000Z\",\"data_stream.type\":\"metrics\",\"data_stream.dataset\":\"ktally.tally\","
			"\"data_stream.namespace\":\"prod\",\"service.name\":\"curl\",\"process.executable.name\":\"curl\",\"host.name\":\"testhost\","
			"\"host.arch\":\"amd64\",\"os.type\":\"linux\",\"os.name\":\"Debian GNU/Linux\",\"os.version\":\"12\",\"kernel_area\":"
			"\"network\",\"kernel_proto\":\"tcp\",\"kernel_io\":\"write\",\"syscall_name\":\"write\",\"samples.kernel.count\":10,"
			"\"ktally.series\":\"",
		",\"ktally.area\":\"native/libz\",\"cpu.mode\":\"user\",\"ktally.cpu.time\":1.5,\"ktally.series\":\"",
		/* Two metrics with the same attributes are one document. */
		"\"service.name\":\"j\\\"va\",\"process.executable.name\":\"j\\\"va\",\"host.name\":\"testhost\",\"host.arch\":\"amd64\","
			"\"os.type\":\"linux\",\"os.name\":\"Debian GNU/Linux\",\"os.version\":\"12\",\"samples.jvm.count\":3,\"samples.user.count\":3,",
		"{\"create\":{\"_index\":\"metrics-ktally.self-prod\"}}\n",
		"\"ktally.cause\":\"ring_full\",\"ktally.samples.lost\":8,\"ktally.samples.lost_time\":0.08,",
	};
	struct profile *profile = example();
	struct batches batches = write_all(profile, 1700000070000000000, 1700000100250000000), again, later;

	check_number(batches.batches, 1, "one batch");
	check_number(count_of(batches.all.data, "{\"create\":"), batches.documents, "as many documents as told");
	check_number(count_of(batches.all.data, "\n"), 2 * batches.documents, "of two lines each");
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const char *name = strstr(expected[i], "\"samples") ? strstr(expected[i], "\"samples") : strrchr(expected[i], ',');

		if (!check(strstr(batches.all.data, expected[i]), "document %zu: ...%.*s", i, name ? (int)strcspn(name, "\n") : 0, name ? name : ""))
			printf("# %s\n", batches.all.data);
	}
	again = write_all(profile, 1700000070000000000, 1700000100250000000);
	check_string(again.all.data, batches.all.data, "the same again is the same");
	later = write_all(profile, 1700000100250000000, 1700000130250000000);
	check_number(later.all.bytes, again.all.bytes, "later, only times differ");
	check(!strcmp(strstr(later.all.data, "\"ktally.series\""), strstr(again.all.data, "\"ktally.series\"")) ||
	      !strncmp(strstr(later.all.data, "\"ktally.series\""), strstr(again.all.data, "\"ktally.series\""), 34), "and no series");
	buffer_free(&batches.all);
	buffer_free(&again.all);
	buffer_free(&later.all);
	for (unsigned int i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "process%u", i);
		add(profile, name, class_of("native", "native/libc", NULL, "libc"), NULL, 1, 1000);
	}
	batches = write_all(profile, 1, 2);
	check(batches.batches > 9 && batches.longest <= ELASTICSEARCH_DOCUMENTS_MOST, "%u batches of at most %zu documents", batches.batches,
	      batches.longest);
	check_number(count_of(batches.all.data, "{\"create\":"), batches.documents, "all of them");
	buffer_free(&batches.all);
	fake_free(profile);
}

/* Long names make long documents. */
static void long_names(void)
{
	struct profile *profile = fake_profile();
	struct batches batches;
	char name[250];

	memset(name, 'x', sizeof(name));
	for (unsigned int i = 0; i < 900; i++) {
		snprintf(name + 200, sizeof(name) - 200, "%u", i);
		add(profile, name, class_of("kernel", name, name, NULL), name, 1, 1000);
	}
	batches = write_all(profile, 1, 2);
	check(batches.batches > 2 && batches.most_bytes <= ELASTICSEARCH_BYTES_MOST + 4096, "%u batches of at most %zu bytes", batches.batches,
	      batches.most_bytes);
	check(batches.most_bytes >= ELASTICSEARCH_BYTES_MOST, "which are full");
	buffer_free(&batches.all);
	fake_free(profile);
}

/* A field cannot be a text and have others below it, as ktally.cgroup.accounted is. */
static void fields(void)
{
	struct profile *profile = fake_profile();
	struct batches batches;
	struct cgroup *cgroup;

	profile->cgroups = cgroups_create(false);
	cgroup = cgroups_get(profile->cgroups, 5, 0, 0);
	cgroup_set(cgroup, "/a.slice", NULL);
	account_add(&cgroup->account, 2000000000, 1500000000);
	batches = write_all(profile, 1, 2);
	check(strstr(batches.all.data, ",\"ktally.cgroup.path\":\"/a.slice\",\"ktally.cgroup.accounted\":2,\"ktally.cgroup.difference\":-0.5,"),
	      "a cgroup's path is beside its values");
	check(!strstr(batches.all.data, "\"ktally.cgroup\""), "not above them");
	buffer_free(&batches.all);
	cgroups_destroy(profile->cgroups);
	fake_free(profile);
}

/* ---- answers ---- */

static void answers(void)
{
	static const struct {
		long status;
		const char *body;
		enum sender_verdict verdict;
		uint64_t rejected;
		const char *message;
	} cases[] = {
		{ 200, "{\"took\":3,\"errors\":false,\"items\":[{\"create\":{\"status\":201}}]}", SENDER_ACCEPTED, 0, "" },
		{ 200, "{\"errors\":false}", SENDER_ACCEPTED, 0, "" },
		{ 200, "{\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":409,\"error\":{\"type\":\"x\"}}}],\"errors\":true}",
		  SENDER_ACCEPTED, 0, "" },
		{ 200, "{\"errors\":true,\"items\":[{\"create\":{\"status\":400,\"error\":{\"type\":\"mapper\",\"reason\":\"bad \\u001b\"}}},"
		  "{\"create\":{\"status\":201}}]}", SENDER_ACCEPTED, 1, "mapper: bad ?" },
		{ 200, "{\"errors\":true,\"items\":[{\"create\":{\"status\":429,\"error\":{\"type\":\"busy\"}}},{\"create\":{\"status\":201}},"
		  "{\"create\":{\"error\":\"gone\",\"status\":404}}]}", SENDER_PARTLY, 1, "gone" },
		{ 200, "{\"errors\":true,\"items\":[{\"create\":{\"status\":429,\"error\":{\"type\":\"busy\"}}},{\"create\":{\"status\":503}}]}",
		  SENDER_TRY_AGAIN, 0, "busy" },
		{ 200, "{\"errors\":true,\"items\":[{\"create\":{}}]}", SENDER_ACCEPTED, 1, "" },
		{ 200, "{\"errors\":true,\"items\":[{\"create\":{\"status\":201}},", SENDER_REFUSED, 0,
		  "HTTP 200, but not as Elasticsearch answers: is the address right?" },
		{ 200, "", SENDER_REFUSED, 0, "HTTP 200, but not as Elasticsearch answers: is the address right?" },
		{ 200, "<html>", SENDER_REFUSED, 0, "HTTP 200, but not as Elasticsearch answers: is the address right?" },
		{ 200, "{\"errors\":true}", SENDER_REFUSED, 0, "HTTP 200, but not as Elasticsearch answers: is the address right?" },
		{ 200, "{}", SENDER_REFUSED, 0, "HTTP 200, but not as Elasticsearch answers: is the address right?" },
		{ 429, "{\"error\":{\"type\":\"circuit_breaking_exception\",\"reason\":\"too large\"},\"status\":429}", SENDER_TRY_AGAIN, 0,
		  "HTTP 429: circuit_breaking_exception: too large" },
		{ 503, "", SENDER_TRY_AGAIN, 0, "HTTP 503" },
		{ 401, "{\"error\":{\"root_cause\":[{\"type\":\"a\"}],\"type\":\"security_exception\",\"reason\":\"no key\"}}", SENDER_REFUSED, 0,
		  "HTTP 401: security_exception: no key" },
		{ 413, "nginx", SENDER_REFUSED, 0, "HTTP 413" },
		{ 400, "{\"error\":\"a text\"}", SENDER_REFUSED, 0, "HTTP 400: a text" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer body = { 0 };
		struct sender_answer answer;

		buffer_string(&body, cases[i].body);
		elasticsearch_read_answer(&answer, cases[i].status, "application/json", &body);
		check(answer.verdict == cases[i].verdict && answer.rejected == cases[i].rejected, "answer %zu: HTTP %ld", i, cases[i].status);
		check_string(answer.message, cases[i].message, "and why");
		buffer_free(&body);
	}
}

static void rest(void)
{
	static const char documents[] = "{\"create\":1}\n{\"a\":1}\n{\"create\":2}\n{\"a\":2}\n{\"create\":3}\n{\"a\":3}\n";
	const struct buffer sent = { .data = (char *)documents, .bytes = strlen(documents) };
	struct buffer body = { 0 }, left = { 0 };

	buffer_string(&body, "{\"errors\":true,\"items\":[{\"create\":{\"status\":429}},{\"create\":{\"status\":201}},{\"create\":{\"status\":503}},"
			     "{\"create\":{\"status\":429}}]}");
	check_number(elasticsearch_select_rest(&left, &sent, &body), 2, "two of three, whatever is said of a fourth");
	check_string(left.data, "{\"create\":1}\n{\"a\":1}\n{\"create\":3}\n{\"a\":3}\n", "these two");
	buffer_free(&body);
	buffer_free(&left);
}

/* ---- sending ---- */

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void submit(void *context, const struct buffer *batch, size_t documents)
{
	sender_submit(context, batch->data, batch->bytes, documents);
}

/* Sends the metrics to the path, for at most so long. */
static struct sender_statistics send_to(struct profile *profile, const char *path, const char *compression, uint64_t end, uint64_t most)
{
	struct sender_options options = { .timeout_ms = 0 };
	struct sender_statistics statistics = { .requests = 0 };
	uint64_t start = milliseconds();
	struct metrics metrics;
	struct sender *sender;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	setenv("KTALLY_ELASTICSEARCH_API_KEY", "a+b==", 1);
	setenv("KTALLY_ELASTICSEARCH_COMPRESSION", compression, 1);
	if (elasticsearch_options(&options, url) || !(sender = sender_create(&options)))
		return statistics;
	metrics_build(&metrics, profile, &fake_host, end - 1000, end, false);
	elasticsearch_write(&metrics, "default", submit, sender);
	metrics_free(&metrics);
	sender_run(sender);
	while (!sender_idle(sender) && milliseconds() < start + most) {
		struct pollfd fds[SENDER_FDS_MOST];
		int timeout = sender_timeout(sender);

		poll(fds, sender_fds(sender, fds, SENDER_FDS_MOST), timeout >= 0 && timeout < 200 ? timeout : 200);
		sender_run(sender);
	}
	check(sender_idle(sender), "%s: nothing is left", path);
	sender_get_statistics(sender, &statistics);
	sender_destroy(sender);
	return statistics;
}

static size_t in_log(const char *what)
{
	struct buffer text = { 0 };
	size_t count;

	buffer_read_file(&text, log_path, 64 << 20);
	count = text.data ? count_of(text.data, what) : 0;
	buffer_free(&text);
	return count;
}

static void sending(void)
{
	struct profile *profile = example();
	struct batches batches = write_all(profile, 1, 2);
	struct sender_statistics statistics;
	const size_t documents = batches.documents;
	char line[64];
	size_t before;

	buffer_free(&batches.all);
	statistics = send_to(profile, "", "gzip", 1700000000000000000, 5000);
	check_number(in_log("document metrics-ktally."), documents, "all documents arrive, and fit the templates");
	check(statistics.requests == 1 && !statistics.points_rejected && !statistics.failures, "by one request: %s%s", statistics.last_error,
	      statistics.last_rejection);
	check_number(in_log("request bad"), 0, "which is one");
	statistics = send_to(profile, "/", "none", 1700000000000000000, 5000);
	check(!statistics.points_rejected && statistics.batches_accepted == 1, "what is there already counts as taken");
	check_number(in_log("document metrics-ktally."), documents, "and is there once");

	before = in_log("document metrics-ktally.");
	statistics = send_to(profile, "/busy", "gzip", 1700000001000000000, 8000);
	check_number(in_log("document metrics-ktally.") - before, documents, "documents that were not taken at first arrive later");
	check(statistics.requests == 2 && statistics.retries == 1 && !statistics.points_rejected, "by a second request");
	snprintf(line, sizeof(line), "request 200 %zu\n", (documents + 2) / 3);
	check_number(in_log(line), 1, "that has only those");
	before = in_log("document metrics-ktally.");
	statistics = send_to(profile, "/full/", "none", 1700000002000000000, 8000);
	check_number(in_log("document metrics-ktally.") - before, documents, "if none is taken at first, all arrive later");
	check(statistics.requests == 2 && statistics.batches_accepted == 1, "by a second request");

	add(profile, "refused", class_of("native", "native/libc", NULL, "libc"), NULL, 1, 1000);
	statistics = send_to(profile, "/", "gzip", 1700000003000000000, 5000);
	check_number(statistics.points_rejected, 3, "documents that are refused for good are counted");
	check_string(statistics.last_rejection, "illegal_argument_exception: the document ?[31m is of no use", "with a reason");
	check(statistics.requests == 1 && !statistics.points_refused, "and not sent again");
	statistics = send_to(profile, "/unauthorized", "gzip", 1700000004000000000, 5000);
	check(statistics.requests == 1 && statistics.points_refused > 9, "without rights nothing is sent again");
	check_string(statistics.last_error, "HTTP 401: security_exception: missing authentication credentials", "and why");
	fake_free(profile);
}

static void options(void)
{
	struct sender_options options = { .timeout_ms = 0 };
	char name[102];
	static const char *const good[] = { "default", "prod", "a_b.c1" }, *const bad[] = { "", "Prod", "a-b", "a/b", "a b", "*", "\xc3\xa4" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check(elasticsearch_namespace_is_good(good[i]), "a namespace: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(!elasticsearch_namespace_is_good(bad[i]), "none: \"%s\"", bad[i]);
	memset(name, 'n', sizeof(name));
	name[101] = '\0';
	check(!elasticsearch_namespace_is_good(name), "none of 101 characters");
	name[100] = '\0';
	check(elasticsearch_namespace_is_good(name), "one of 100");
	unsetenv("KTALLY_ELASTICSEARCH_COMPRESSION");
	setenv("KTALLY_ELASTICSEARCH_API_KEY", "ab,c%=", 1);
	setenv("KTALLY_ELASTICSEARCH_HEADERS", "X-A=b", 1);
	check_number(elasticsearch_options(&options, "https://es:9200/prefix/"), 0, "a URL");
	check(!strncmp(options.endpoint, "https://es:9200/prefix/_bulk?filter_path=errors,", 48), "gets the path: %s", options.endpoint);
	check_string(options.headers, "Authorization=ApiKey%20ab%2Cc%25%3D,X-A=b", "the key is a header");
	check_number(elasticsearch_options(&options, "http://es:9200/_bulk"), 0, "a URL with it");
	check(!strncmp(options.endpoint, "http://es:9200/_bulk?", 21), "keeps it");
	check(elasticsearch_options(&options, "es:9200") < 0, "what is no URL is refused");
	setenv("KTALLY_ELASTICSEARCH_COMPRESSION", "zstd", 1);
	check(elasticsearch_options(&options, "http://es:9200") < 0, "so is zstd, which Elasticsearch does not know");
	unsetenv("KTALLY_ELASTICSEARCH_COMPRESSION");
	unsetenv("KTALLY_ELASTICSEARCH_HEADERS");
	unsetenv("KTALLY_ELASTICSEARCH_API_KEY");
}

/* All names that metrics.h and owner.c know are in the template: what is not would be kept and not found. */
static void template(void)
{
	static const char script[] =
		"python3 -c '\n"
		"import json, re\n"
		"fields = json.load(open(\"user/examples/elasticsearch/mappings.json\"))[\"template\"][\"mappings\"][\"properties\"]\n"
		"wanted = set(re.findall(r\"\\[OWNER_\\w+\\] = \\{ \\\"([a-z0-9_.]+)\\\", OWNER\", open(\"user/attribute/owner.c\").read()))\n"
		"assert len(wanted) > 9\n"
		"for line in open(\"user/export/metrics.h\"):\n"
		"    match = re.match(r\" \\*\\t((?:ktally|samples)\\.[a-zA-Z_.]+)((?:, \\.\\w+)*)\", line)\n"
		"    if match and \"RUNTIME\" in match[1]:\n"
		"        wanted |= {match[1].replace(\"RUNTIME\", r) for r in re.search(r\"runtime: (.*)\", line)[1].split(\", \")}\n"
		"    elif match:\n"
		"        wanted.add(match[1])\n"
		"        wanted |= {match[1].rpartition(\".\")[0] + end for end in re.findall(r\", (\\.\\w+)\", match[2])}\n"
		"print(\" \".join(sorted(wanted - set(fields))))\n"
		"'";
	int status;
	char *text = fake_output(script, &status);

	check_number(status, 0, "names can be found");
	check_string(text, "\n", "all of them are fields of the template");
	free(text);
}

int main(void)
{
	char command[512];
	FILE *server;
	int pid;

	documents();
	long_names();
	fields();
	answers();
	rest();
	options();
	if (!fake_have("python3")) {
		check_skip("no python3", "sending");
		return check_end();
	}
	template();
	close(mkstemp(log_path));
	snprintf(command, sizeof(command), "python3 tests/user/elasticsearch.py %s", log_path);
	server = popen(command, "r");
	if (check(server && fscanf(server, "%d %d", &pid, &port) == 2, "a server")) {
		sending();
		kill(pid, SIGTERM);
	}
	pclose(server);
	unlink(log_path);
	return check_end();
}
