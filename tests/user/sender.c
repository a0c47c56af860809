// SPDX-License-Identifier: GPL-2.0-or-later
/* Senders, against a real HTTP server that behaves well and badly: collector.py. */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "export/otlp.h"
#include "export/sender_parts.h"
#include "fake.h"

static char directory[] = "/dev/shm/ktally-sender-XXXXXX";
static char log_path[64], certificate[64], key[64], stranger[64];
static int ports[3];

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* As the daemon's loop does it, until all is sent or the time is up. Returns how long that was. */
static uint64_t drive(struct sender *sender, uint64_t most)
{
	uint64_t start = milliseconds();

	sender_run(sender);
	while (!sender_idle(sender) && milliseconds() < start + most) {
		struct pollfd fds[16];
		size_t count = sender_fds(sender, fds, 16);
		uint64_t left = start + most - milliseconds();
		int timeout = sender_timeout(sender);

		poll(fds, count, timeout >= 0 && (uint64_t)timeout < left ? timeout : (int)left);
		sender_run(sender);
	}
	return milliseconds() - start;
}

/* Until it is so, with what the sender says of itself; a check comes after it, so it ends in any case. */
#define DRIVE_UNTIL(sender, statistics, condition) do {							\
	uint64_t end_ = milliseconds() + 20000;								\
													\
	do {												\
		drive(sender, 20);									\
		sender_get_statistics(sender, &(statistics));						\
	} while (!(condition) && milliseconds() < end_);						\
} while (0)

static const char *url(const char *path)
{
	static char text[64];

	snprintf(text, sizeof(text), "http://127.0.0.1:%d/%s", ports[0], path);
	return text;
}

/* Sends one batch of ten points to the path, with one second for a request; what came of it within `most` milliseconds. */
static struct sender_statistics send_to(const char *path, uint64_t most, bool *idle, uint64_t *took)
{
	struct sender_options options = { .protocol = &otlp_metrics.protocol, .endpoint = url(path), .timeout_ms = 1000 };
	struct sender *sender = sender_create(&options);
	struct sender_statistics statistics;
	uint64_t time;

	sender_submit(sender, "hello", 5, 10);
	time = drive(sender, most);
	if (took)
		*took = time;
	if (idle)
		*idle = sender_idle(sender);
	sender_get_statistics(sender, &statistics);
	sender_destroy(sender);
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
	struct sender_options options = { .protocol = &otlp_metrics.protocol, .endpoint = url("v1/metrics"), .headers = "X-Test=a%20b%2C, X-Empty=" };
	struct sender *sender = sender_create(&options);
	struct sender_statistics statistics;
	char *big = memory_zeroed(3, 1 << 20);
	uint64_t took;
	bool idle;

	check(sender_idle(sender) && sender_timeout(sender) == -1, "idle at first");
	check_number(sender_submit(sender, "hello", 5, 1), 0, "a request");
	check(!sender_idle(sender), "is waiting to be sent");
	check_number(sender_submit(sender, big, 3 << 20, 1), 0, "a large one behind it");
	took = drive(sender, 10000);
	check(sender_idle(sender) && sender_timeout(sender) == -1 && took < 5000, "both are sent");
	sender_get_statistics(sender, &statistics);
	check(statistics.requests == 2 && !statistics.failures && !statistics.batches_refused, "by two requests");
	check_string(statistics.last_error, "", "without an error");
	check(log_has("/v1/metrics application/x-protobuf gzip 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
	      "compressed, and the collector has what was sent");
	check(log_has(" bbd05cf6097ac9b1f89ea29d2542c1b7b67ee46848393895f5a9e43fa1f621e5 "), "both of it");
	check(log_has("agent=ktally/") && log_has(" test=a b, ") && log_has(" empty='' ") && log_has("expect=None"),
	      "with the headers that were asked for");
	sender_destroy(sender);
	options.compression = "none";
	sender = sender_create(&options);
	sender_submit(sender, "hello", 5, 1);
	drive(sender, 5000);
	check(log_has("/v1/metrics application/x-protobuf None 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
	      "uncompressed");
	check_number(sender_submit(sender, NULL, 0, 0), 0, "nothing");
	check(sender_idle(sender), "is no request");
	sender_destroy(sender);

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
	struct sender_statistics statistics;
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
	check(!idle && statistics.requests == 1 && statistics.failures == 1 && !statistics.batches_refused, "no answer: kept");
	check(strstr(statistics.last_error, "timed out"), "and why: %s", statistics.last_error);
	statistics = send_to("cut", 1000, &idle, &took);
	check(!idle && statistics.failures == 1 && !statistics.batches_refused, "cut off in the body: kept");
	statistics = send_to("503-is-gone", 1000, &idle, &took);
	check(idle && statistics.failures == 1 && statistics.batches_refused == 1, "404: dropped");
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
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool idle;
		struct sender_statistics statistics = send_to(cases[i].path, 5000, &idle, NULL);

		check(idle && statistics.requests == 1 && statistics.failures == 1 && !statistics.retries, "/%s is not tried again", cases[i].path);
		check(statistics.batches_refused == 1 && statistics.points_refused == 10, "/%s: what is lost is counted", cases[i].path);
		check_string(statistics.last_error, cases[i].error, "/%s says why", cases[i].path);
	}
	check_number(requests_to("redirect"), 1, "a redirection is not followed");
}

/* However long a destination wants to be left alone, and with zstd. */
static void told_to_wait(void)
{
	struct sender_options options = { .protocol = &otlp_metrics.protocol, .endpoint = url("later"), .compression = "zstd" };
	struct sender *sender = sender_create(&options);
	struct sender_statistics statistics;

	sender_submit(sender, "one", 3, 1);
	DRIVE_UNTIL(sender, statistics, statistics.retries == 1);
	sender_submit(sender, "two", 3, 1);
	sender_run(sender);
	sender_get_statistics(sender, &statistics);
	check(statistics.requests == 1 && !sender_idle(sender) && !statistics.batches_refused, "Retry-After holds for all requests");
	check(sender_timeout(sender) > 290000 && sender_timeout(sender) <= 301000, "for as long as was asked: %d ms", sender_timeout(sender));
	check(log_has("/later application/x-protobuf zstd "), "compressed by zstd");
	sender_destroy(sender);
}

/* Noise, so that it does not shrink. */
static char *noise(size_t bytes)
{
	char *data = memory_zeroed(1, bytes);
	unsigned int random = 1;

	for (size_t i = 0; i < bytes; i++) {
		random = random * 1103515245 + 12345;
		data[i] = (char)(random >> 16);
	}
	return data;
}

static void nobody_there(void)
{
	struct sender_options options = { .protocol = &otlp_metrics.protocol, .endpoint = "http://127.0.0.1:1/v1/metrics" };
	struct sender *sender = sender_create(&options);
	struct sender_statistics statistics;
	char *piece = noise(3 << 20);

	sender_submit(sender, "hello", 5, 10);
	DRIVE_UNTIL(sender, statistics, statistics.retries == 1);
	check(!sender_idle(sender) && statistics.failures == 1 && statistics.retries == 1, "nobody there: kept");
	check(strstr(statistics.last_error, "127.0.0.1 port 1"), "and why: %s", statistics.last_error);
	check(sender_timeout(sender) > 1000 && sender_timeout(sender) <= 7500, "to be tried again in %d ms", sender_timeout(sender));
	for (int i = 0; i < 3; i++) {
		check_number(sender_submit(sender, piece, 3 << 20, 100), 0, "behind it, 3 MiB");
		drive(sender, 100);
	}
	DRIVE_UNTIL(sender, statistics, statistics.queue.batches_dropped == 2 && statistics.queue.bytes > 6 << 20);
	check(statistics.queue.batches_dropped == 2 && statistics.queue.points_dropped == 110, "the queue has an end: the oldest go, and are counted");
	check(statistics.queue.batches == 2 && statistics.queue.bytes > 6 << 20 && statistics.queue.bytes < 7 << 20, "the others wait");
	check(!sender_is_safe(sender), "in memory alone");
	check_number(sender_submit(sender, piece, 0x7fffffff, 7), -EMSGSIZE, "what never fits");
	sender_get_statistics(sender, &statistics);
	check_number(statistics.queue.points_dropped, 117, "is counted too");
	sender_destroy(sender);
	sender_destroy(NULL);
	free(piece);
	options.endpoint = "http://no-such-host.invalid/v1/metrics";
	sender = sender_create(&options);
	sender_submit(sender, "hello", 5, 10);
	drive(sender, 20);
	sender_destroy(sender);
	check(true, "ends in the middle of looking a name up");
}

/* What an earlier run left is sent as it was compressed then, whatever is asked for now. */
static void left_in_spool(void)
{
	char spool[64];
	struct sender_options options = {
		.protocol = &otlp_metrics.protocol, .endpoint = "http://127.0.0.1:1/", .compression = "zstd", .spool = spool,
	};
	struct sender_statistics statistics;
	struct sender *sender;

	snprintf(spool, sizeof(spool), "%s/spool", directory);
	sender = sender_create(&options);
	sender_submit(sender, "left behind", 11, 1);
	DRIVE_UNTIL(sender, statistics, sender_is_safe(sender));
	check(sender_is_safe(sender) && !sender_idle(sender), "what is not sent is on disk");
	sender_destroy(sender);
	options.endpoint = url("v1/metrics");
	options.compression = "none";
	sender = sender_create(&options);
	drive(sender, 5000);
	sender_get_statistics(sender, &statistics);
	check(sender_idle(sender) && statistics.batches_accepted == 1 && statistics.queue.found == 1, "the next run sends it");
	check(log_has("/v1/metrics application/x-protobuf zstd "), "as it was compressed");
	sender_destroy(sender);
	sender = sender_create(&options);
	check(sender_idle(sender), "once");
	sender_destroy(sender);
}

static void backoff(void)
{
	uint64_t interval = 0, least = UINT64_MAX, most = 0;
	const uint64_t expected[] = { 5000, 7500, 11250, 16875, 25312, 30000, 30000 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint64_t wait = sender_backoff(&interval, UINT32_MAX / 2);

		check(interval == expected[i] && wait >= interval - 1 && wait <= interval, "wait number %zu: %" PRIu64 " ms", i, wait);
	}
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t wait;

		interval = 30000;
		wait = sender_backoff(&interval, i * 4294967);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	check(least >= 15000 && least < 15100 && most <= 45000 && most > 44900, "spread from %" PRIu64 " to %" PRIu64, least, most);
}

static void tls(void)
{
	struct sender_options options = { .protocol = &otlp_metrics.protocol, .timeout_ms = 3000 };
	struct sender_statistics statistics;
	struct sender *sender;
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
		sender = sender_create(&options);
		sender_submit(sender, "hello", 5, 1);
		DRIVE_UNTIL(sender, statistics, sender_idle(sender) || statistics.failures);
		idle = sender_idle(sender);
		check(idle == cases[i].sent && statistics.failures == !cases[i].sent, "%s: %s%s", cases[i].name,
		      cases[i].sent ? "sent" : "not sent, ", statistics.last_error);
		sender_destroy(sender);
	}
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
		check_skip("no python3", "senders");
		return check_end();
	}
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
	backoff();
	accepted();
	tried_again();
	gave_up();
	told_to_wait();
	nobody_there();
	left_in_spool();
	tls();
	kill(pid, SIGTERM);
	pclose(collector);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
