// SPDX-License-Identifier: GPL-2.0-or-later
/* otlp_create() and its like, against a real HTTP server that behaves well and badly: collector.py. */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "export/otlp.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-otlp-XXXXXX";
static char log_path[64], certificate[64], key[64], stranger[64];
static int ports[3];

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* As the daemon's loop does it, until all is sent or the time is up. Returns how long that was. */
static uint64_t drive(struct otlp *otlp, uint64_t most)
{
	uint64_t start = milliseconds();

	otlp_run(otlp);
	while (!otlp_idle(otlp) && milliseconds() < start + most) {
		struct pollfd fds[16];
		size_t count = otlp_fds(otlp, fds, 16);
		uint64_t left = start + most - milliseconds();
		int timeout = otlp_timeout(otlp);

		poll(fds, count, timeout >= 0 && (uint64_t)timeout < left ? timeout : (int)left);
		otlp_run(otlp);
	}
	return milliseconds() - start;
}

static const char *url(const char *path)
{
	static char text[64];

	snprintf(text, sizeof(text), "http://127.0.0.1:%d/%s", ports[0], path);
	return text;
}

/* Sends one batch of ten points to the path, with one second for a request; what came of it within `most` milliseconds. */
static struct otlp_statistics send_to(const char *path, uint64_t most, bool *idle, uint64_t *took)
{
	struct otlp_options options = { .endpoint = url(path), .timeout_ms = 1000 };
	struct otlp *otlp = otlp_create(&options);
	struct otlp_statistics statistics;
	uint64_t time;

	otlp_submit(otlp, "hello", 5, 10);
	time = drive(otlp, most);
	if (took)
		*took = time;
	if (idle)
		*idle = otlp_idle(otlp);
	otlp_get_statistics(otlp, &statistics);
	otlp_destroy(otlp);
	return statistics;
}

static size_t requests_to(const char *path)
{
	struct buffer text = { 0 };
	char start[64];
	size_t count = 0;

	snprintf(start, sizeof(start), "/%s ", path);
	buffer_read_file(&text, log_path, 1 << 20);
	for (const char *line = text.data; line && *line; line = strchr(line, '\n') + 1)
		count += !strncmp(line, start, strlen(start));
	buffer_free(&text);
	return count;
}

static bool log_has(const char *what)
{
	struct buffer text = { 0 };
	bool found;

	buffer_read_file(&text, log_path, 1 << 20);
	found = text.data && strstr(text.data, what);
	buffer_free(&text);
	return found;
}

static void accepted(void)
{
	struct otlp_options options = { .endpoint = url("v1/metrics"), .headers = "X-Test=a%20b%2C, X-Empty=" };
	struct otlp *otlp = otlp_create(&options);
	struct otlp_statistics statistics;
	char *big = memory_zeroed(3, 1 << 20);
	uint64_t took;
	bool idle;

	check(otlp_idle(otlp) && otlp_timeout(otlp) == -1, "idle at first");
	check_number(otlp_submit(otlp, "hello", 5, 1), 0, "a request");
	check(!otlp_idle(otlp) && otlp_timeout(otlp) == 0, "is waiting to be sent");
	check_number(otlp_submit(otlp, big, 3 << 20, 1), 0, "a large one behind it");
	took = drive(otlp, 10000);
	check(otlp_idle(otlp) && otlp_timeout(otlp) == -1 && took < 5000, "both are sent");
	otlp_get_statistics(otlp, &statistics);
	check(statistics.requests == 2 && !statistics.failures && !statistics.batches_dropped, "by two requests");
	check_string(statistics.last_error, "", "without an error");
	check(log_has("/v1/metrics application/x-protobuf gzip 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
	      "compressed, and the collector has what was sent");
	check(log_has(" bbd05cf6097ac9b1f89ea29d2542c1b7b67ee46848393895f5a9e43fa1f621e5 "), "both of it");
	check(log_has("agent=ktally/") && log_has(" test=a b, ") && log_has(" empty='' ") && log_has("expect=None"),
	      "with the headers that were asked for");
	otlp_destroy(otlp);
	options.compression = "none";
	otlp = otlp_create(&options);
	otlp_submit(otlp, "hello", 5, 1);
	drive(otlp, 5000);
	check(log_has("/v1/metrics application/x-protobuf None 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
	      "uncompressed");
	check_number(otlp_submit(otlp, NULL, 0, 0), 0, "nothing");
	check(otlp_idle(otlp), "is no request");
	otlp_destroy(otlp);

	statistics = send_to("partial", 5000, &idle, NULL);
	check(idle && statistics.requests == 1 && statistics.points_rejected == 3 && !statistics.failures, "partial success is counted");
	check_number(requests_to("partial"), 1, "and not sent again");
	check_string(statistics.last_rejection, "too old?", "its message is shown");
	check_string(statistics.last_error, "", "and it is no error");
	check_number(send_to("greedy", 5000, &idle, NULL).points_rejected, 10, "no more is rejected than was sent");
	check_number(send_to("json", 5000, &idle, NULL).points_rejected, 2, "partial success in JSON");
	statistics = send_to("message", 5000, &idle, NULL);
	check(!statistics.points_rejected && !statistics.failures && !strcmp(statistics.last_rejection, "a warning"), "a mere warning");
	free(big);
}

static void tried_again(void)
{
	struct otlp_statistics statistics;
	uint64_t took;
	bool idle;

	statistics = send_to("503", 5000, &idle, &took);
	check(idle && statistics.requests == 2 && statistics.retries == 1 && statistics.failures == 1, "503, then 200");
	check(took >= 950 && took < 3000, "after the second of Retry-After: %" PRIu64 " ms", took);
	check_string(statistics.last_error, "", "the error is over");
	statistics = send_to("429", 5000, &idle, &took);
	check(idle && statistics.requests == 2 && took >= 950 && took < 3000, "429 with Retry-After: 1: %" PRIu64 " ms", took);
	statistics = send_to("date", 8000, &idle, &took);
	check(idle && statistics.requests == 2 && took >= 1000 && took < 5000, "Retry-After as a date: %" PRIu64 " ms", took);
	statistics = send_to("backoff", 12000, &idle, &took);
	check(idle && statistics.requests == 2 && took >= 2450 && took < 9000, "504, with back-off: %" PRIu64 " ms", took);
	statistics = send_to("close", 12000, &idle, &took);
	check(idle && statistics.requests == 2 && statistics.failures == 1, "closed without an answer, then 200");
	statistics = send_to("hang", 2000, &idle, &took);
	check(!idle && statistics.requests == 1 && statistics.failures == 1 && !statistics.batches_dropped, "no answer: kept");
	check(strstr(statistics.last_error, "timed out"), "and why: %s", statistics.last_error);
	statistics = send_to("cut", 1000, &idle, &took);
	check(!idle && statistics.failures == 1 && !statistics.batches_dropped, "cut off in the body: kept");
	statistics = send_to("503-is-gone", 1000, &idle, &took);
	check(idle && statistics.failures == 1 && statistics.batches_dropped == 1, "404: dropped");
}

static void gave_up(void)
{
	static const struct {
		const char *path, *error;
	} cases[] = {
		{ "400", "HTTP 400: bad ? data" },
		{ "500", "HTTP 500: <h1>it broke</h1>" },
		{ "html", "HTTP 200, but not as a collector answers (text/html): is the address right?" },
		{ "redirect", "HTTP 307" },
		{ "garbage", "Received HTTP/0.9 when not allowed" },
		{ "body", "the answer is too long" },
		{ "headers", "the answer is too long" },
		{ "later", "HTTP 503" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool idle;
		struct otlp_statistics statistics = send_to(cases[i].path, 5000, &idle, NULL);

		check(idle && statistics.requests == 1 && statistics.failures == 1 && !statistics.retries, "/%s is not tried again", cases[i].path);
		check(statistics.batches_dropped == 1 && statistics.points_dropped == 10, "/%s: what is lost is counted", cases[i].path);
		check_string(statistics.last_error, cases[i].error, "/%s says why", cases[i].path);
	}
	check_number(requests_to("redirect"), 1, "a redirection is not followed");
}

/* The longest wait that a collector may ask for holds for the requests that come after the one that is dropped, too. */
static void told_to_wait(void)
{
	struct otlp_options options = { .endpoint = url("later") };
	struct otlp *otlp = otlp_create(&options);
	struct otlp_statistics statistics;

	otlp_submit(otlp, "one", 3, 1);
	drive(otlp, 2000);
	otlp_submit(otlp, "two", 3, 1);
	otlp_run(otlp);
	otlp_get_statistics(otlp, &statistics);
	check(statistics.requests == 1 && !otlp_idle(otlp), "Retry-After holds for the next request");
	check(otlp_timeout(otlp) > 290000 && otlp_timeout(otlp) <= 301000, "for as long as was asked: %d ms", otlp_timeout(otlp));
	otlp_destroy(otlp);
}

static void nobody_there(void)
{
	struct otlp_options options = { .endpoint = "http://127.0.0.1:1/v1/metrics" };
	struct otlp *otlp = otlp_create(&options);
	struct otlp_statistics statistics;
	static char piece[3 << 20];
	unsigned int random = 1;
	int result = 0, submitted = 0;

	otlp_submit(otlp, "hello", 5, 10);
	drive(otlp, 1000);
	otlp_get_statistics(otlp, &statistics);
	check(!otlp_idle(otlp) && statistics.failures == 1 && statistics.retries == 1, "nobody there: kept");
	check(strstr(statistics.last_error, "127.0.0.1 port 1"), "and why: %s", statistics.last_error);
	check(otlp_timeout(otlp) > 1000 && otlp_timeout(otlp) <= 7500, "to be tried again in %d ms", otlp_timeout(otlp));
	/* Noise, so that it does not shrink. */
	for (size_t i = 0; i < sizeof(piece); i++) {
		random = random * 1103515245 + 12345;
		piece[i] = (char)(random >> 16);
	}
	while (!result && submitted < 10) {
		result = otlp_submit(otlp, piece, sizeof(piece), 100);
		submitted++;
	}
	check(result == -ENOBUFS && submitted == 3, "the queue has an end: after %d times 3 MiB", submitted);
	otlp_get_statistics(otlp, &statistics);
	check(statistics.batches_dropped == 2 && statistics.points_dropped == 110, "the oldest go, and are counted");
	check_number(otlp_submit(otlp, piece, 0x7fffffff, 7), -EMSGSIZE, "what never fits");
	otlp_get_statistics(otlp, &statistics);
	check_number(statistics.points_dropped, 117, "is counted too");
	otlp_destroy(otlp);
	otlp_destroy(NULL);
	options.endpoint = "http://no-such-host.invalid/v1/metrics";
	otlp = otlp_create(&options);
	otlp_submit(otlp, "hello", 5, 10);
	otlp_run(otlp);
	otlp_destroy(otlp);
	check(true, "ends in the middle of looking a name up");
}

/* Answers of random bytes, biased to what protobuf is made of. */
static void hostile_answers(void)
{
	static const char *const types[] = { NULL, "application/x-protobuf", "text/html", "application/json\x1b" };
	static const long codes[] = { 200, 503, 400, 0, 999 };
	unsigned int random = 1, printable = 0, accepted_count = 0;

	for (unsigned int i = 0; i < 20000; i++) {
		struct buffer body = { 0 };
		struct otlp_answer answer;

		random = random * 1103515245 + 12345;
		for (unsigned int bytes = random / 65536 % 40; bytes; bytes--) {
			random = random * 1103515245 + 12345;
			buffer_append(&body, random & 0x10000 ? &"\x0a\x08\x12\x10\x02\x00\xff{"[random / 131072 % 8] : (char *)&random, 1);
		}
		otlp_read_answer(&answer, codes[i % 5], types[i % 4], &body);
		accepted_count += answer.verdict == OTLP_ACCEPTED;
		printable += !strpbrk(answer.message, "\x01\x08\x0a\x12\x1b\x7f");
		buffer_free(&body);
	}
	check_number(printable, 20000, "no answer gets control characters into a message");
	check(accepted_count > 200 && accepted_count < 4000, "some are accepted: %u", accepted_count);
}

static void backoff(void)
{
	uint64_t interval = 0, least = UINT64_MAX, most = 0;
	const uint64_t expected[] = { 5000, 7500, 11250, 16875, 25312, 30000, 30000 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint64_t wait = otlp_backoff(&interval, UINT32_MAX / 2);

		check(interval == expected[i] && wait >= interval - 1 && wait <= interval, "wait number %zu: %" PRIu64 " ms", i, wait);
	}
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t wait;

		interval = 30000;
		wait = otlp_backoff(&interval, i * 4294967);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	check(least >= 15000 && least < 15100 && most <= 45000 && most > 44900, "spread from %" PRIu64 " to %" PRIu64, least, most);
}

static void tls(void)
{
	struct otlp_options options = { .timeout_ms = 3000 };
	struct otlp_statistics statistics;
	struct otlp *otlp;
	char endpoint[64];
	bool idle;

	if (!ports[1]) {
		check_skip("no openssl program", "TLS");
		return;
	}
	for (unsigned int i = 0; i < 6; i++) {
		static const struct {
			const char *host, *authority, *client_certificate, *name;
			int port;
			bool sent;
		} cases[] = {
			{ "localhost", NULL, NULL, "a certificate that nobody vouches for", 1, false },
			{ "localhost", certificate, NULL, "one that the given authority vouches for", 1, true },
			{ "localhost", stranger, NULL, "one that the given authority does not vouch for", 1, false },
			{ "127.0.0.1", certificate, NULL, "one for another host", 1, false },
			{ "localhost", certificate, NULL, "no client certificate where one is wanted", 2, false },
			{ "localhost", certificate, certificate, "a client certificate", 2, true },
		};

		options.certificate = cases[i].authority;
		options.client_certificate = cases[i].client_certificate;
		options.client_key = cases[i].client_certificate ? key : NULL;
		snprintf(endpoint, sizeof(endpoint), "https://%s:%d/v1/metrics", cases[i].host, ports[cases[i].port]);
		options.endpoint = endpoint;
		otlp = otlp_create(&options);
		otlp_submit(otlp, "hello", 5, 1);
		drive(otlp, 1500);
		idle = otlp_idle(otlp);
		otlp_get_statistics(otlp, &statistics);
		check(idle == cases[i].sent && statistics.failures == !cases[i].sent, "%s: %s%s", cases[i].name,
		      cases[i].sent ? "sent" : "not sent, ", statistics.last_error);
		otlp_destroy(otlp);
	}
}

static void clear_environment(void)
{
	static const char *const names[] = {
		"ENDPOINT", "HEADERS", "COMPRESSION", "TIMEOUT", "PROTOCOL", "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s", names[i]);
		unsetenv(name);
		snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_METRICS_%s", names[i]);
		unsetenv(name);
	}
}

/* Variables as "NAME=VALUE" without their prefix. */
static int from(struct otlp_options *options, const char *const *variables)
{
	*options = (struct otlp_options){ .timeout_ms = 0 };
	clear_environment();
	for (; *variables; variables++) {
		char name[128] = "OTEL_EXPORTER_OTLP_", *value;

		strcat(name, *variables);
		value = strchr(name, '=');
		*value++ = '\0';
		setenv(name, value, 1);
	}
	return otlp_options_from_environment(options);
}

#define FROM(options, ...)	from(options, (const char *const[]){ __VA_ARGS__, NULL })

static void environment(void)
{
	struct otlp_options options;

	check(FROM(&options, NULL) == 0 && !options.endpoint && !options.timeout_ms, "nothing set, nothing asked for");
	check(FROM(&options, "ENDPOINT=", "TIMEOUT=") == 0 && !options.endpoint, "empty is not set");
	FROM(&options, "ENDPOINT=http://a:4318");
	check_string(options.endpoint, "http://a:4318/v1/metrics", "the address for all signals gets a path");
	FROM(&options, "ENDPOINT=http://a:4318/b/");
	check_string(options.endpoint, "http://a:4318/b/v1/metrics", "behind its own");
	FROM(&options, "ENDPOINT=http://a:4318", "METRICS_ENDPOINT=https://b/c");
	check_string(options.endpoint, "https://b/c", "the address for metrics is used as it is");
	check(FROM(&options, "ENDPOINT=http://a", "HEADERS=a=b", "METRICS_HEADERS=c=d", "COMPRESSION=none", "TIMEOUT=500", "METRICS_TIMEOUT=700",
		   "PROTOCOL=http/protobuf", "CERTIFICATE=/dev/null", "CLIENT_CERTIFICATE=/dev/null", "CLIENT_KEY=/dev/null") == 0,
	      "all of them");
	check_string(options.headers, "c=d", "headers for metrics first");
	check_string(options.compression, "none", "compression");
	check_number(options.timeout_ms, 700, "time for metrics first");
	check(!strcmp(options.certificate, "/dev/null") && !strcmp(options.client_key, "/dev/null") &&
	      !strcmp(options.client_certificate, "/dev/null"), "certificates");
	options = (struct otlp_options){ .endpoint = "http://mine/", .headers = "x=y", .compression = "gzip", .timeout_ms = 1 };
	check(otlp_options_from_environment(&options) == 0 && !strcmp(options.endpoint, "http://mine/") && !strcmp(options.headers, "x=y") &&
	      !strcmp(options.compression, "gzip") && options.timeout_ms == 1, "what is set already wins");
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
	check_number(otlp_options_from_environment(&options), 0, "another protocol does not matter to an address of one's own");

	check_number(FROM(&options, "ENDPOINT=http://a", "PROTOCOL=grpc"), -EINVAL, "a protocol that is not spoken");
	check_number(FROM(&options, "ENDPOINT=a:4317"), -EINVAL, "an address without a scheme");
	check_number(FROM(&options, "ENDPOINT=ftp://a"), -EINVAL, "another scheme");
	check_number(FROM(&options, "ENDPOINT=file:///etc/passwd"), -EINVAL, "a file");
	check_number(FROM(&options, "ENDPOINT=http://user:secret@a"), -EINVAL, "a password in the address");
	check_number(FROM(&options, "ENDPOINT=http://a", "COMPRESSION=zstd"), -EINVAL, "an unknown compression");
	check_number(FROM(&options, "ENDPOINT=http://a", "TIMEOUT=1s"), -EINVAL, "a time that is not a number");
	check_number(FROM(&options, "ENDPOINT=http://a", "TIMEOUT=0"), -EINVAL, "no time at all");
	check_number(FROM(&options, "ENDPOINT=http://a", "CERTIFICATE=/no/such/file"), -EINVAL, "a certificate that is not there");
	check_number(FROM(&options, "ENDPOINT=http://a", "CLIENT_KEY=/dev/null"), -EINVAL, "a key without its certificate");
	check_number(FROM(&options, "ENDPOINT=http://a", "HEADERS=a"), -EINVAL, "a header without a value");
	check_number(FROM(&options, "ENDPOINT=http://a", "HEADERS=a=b%0d%0aX-Evil:c"), -EINVAL, "a header that breaks out of its line");
	check_number(FROM(&options, "ENDPOINT=http://a", "HEADERS=a=%4"), -EINVAL, "half an encoded character");
	check_number(FROM(&options, "ENDPOINT=http://a", "HEADERS=a b=c"), -EINVAL, "a header with a space in its name");
	check_number(FROM(&options, "ENDPOINT=http://a", "HEADERS=Authorization=ApiKey%20abc=="), 0, "a header with equal signs in its value");
	clear_environment();
	options = (struct otlp_options){ .endpoint = "gopher://a" };
	check(!otlp_create(&options), "no connection with options that cannot be used");
}

/* The key of the last one made is kept. */
static bool make_certificate(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command), "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
		 "subjectAltName=DNS:localhost -out %s -keyout %s >/dev/null 2>&1", path, key);
	return system(command) == 0;
}

int main(void)
{
	char command[512], path[] = __FILE__;
	FILE *collector;
	int pid = 0;

	if (!fake_have("python3")) {
		check_skip("no python3", "OTLP");
		return check_end();
	}
	clear_environment();
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	if (!mkdtemp(directory))
		return 1;
	snprintf(log_path, sizeof(log_path), "%s/log", directory);
	snprintf(certificate, sizeof(certificate), "%s/certificate.pem", directory);
	snprintf(key, sizeof(key), "%s/key.pem", directory);
	snprintf(stranger, sizeof(stranger), "%s/stranger.pem", directory);
	if (fake_have("openssl") && make_certificate(stranger) && make_certificate(certificate))
		snprintf(command, sizeof(command), "exec python3 %s/collector.py %s %s %s", dirname(path), log_path, certificate, key);
	else
		snprintf(command, sizeof(command), "exec python3 %s/collector.py %s", dirname(path), log_path);
	collector = popen(command, "r");
	if (!collector || fscanf(collector, "%d %d %d %d", &pid, &ports[0], &ports[1], &ports[2]) < 2) {
		check(false, "the collector starts");
		return check_end();
	}
	environment();
	hostile_answers();
	backoff();
	accepted();
	tried_again();
	gave_up();
	told_to_wait();
	nobody_there();
	tls();
	kill(pid, SIGTERM);
	pclose(collector);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
