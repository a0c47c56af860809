// SPDX-License-Identifier: GPL-2.0-or-later
/* What OpenTelemetry's environment variables ask for, and what answers of a collector mean. */
#include <errno.h>

#include "check.h"
#include "export/otlp.h"

/* Answers of random bytes, biased to what protobuf is made of. */
static void hostile_answers(void)
{
	static const char *const types[] = { NULL, "application/x-protobuf", "text/html", "application/json\x1b" };
	static const long codes[] = { 200, 503, 400, 0, 999 };
	unsigned int random = 1, printable = 0, accepted_count = 0;

	for (unsigned int i = 0; i < 20000; i++) {
		struct buffer body = { 0 };
		struct sender_answer answer;

		random = random * 1103515245 + 12345;
		for (unsigned int bytes = random / 65536 % 40; bytes; bytes--) {
			random = random * 1103515245 + 12345;
			buffer_append(&body, random & 0x10000 ? &"\x0a\x08\x12\x10\x02\x00\xff{"[random / 131072 % 8] : (char *)&random, 1);
		}
		otlp_read_answer(&answer, codes[i % 5], types[i % 4], &body);
		accepted_count += answer.verdict == SENDER_ACCEPTED;
		printable += !strpbrk(answer.message, "\x01\x08\x0a\x12\x1b\x7f");
		buffer_free(&body);
	}
	check_number(printable, 20000, "no answer gets control characters into a message");
	check(accepted_count > 200 && accepted_count < 4000, "some are accepted: %u", accepted_count);
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
static int from(struct sender_options *options, const char *const *variables)
{
	*options = (struct sender_options){ .timeout_ms = 0 };
	clear_environment();
	for (; *variables; variables++) {
		char name[128] = "OTEL_EXPORTER_OTLP_", *value;

		strcat(name, *variables);
		value = strchr(name, '=');
		*value++ = '\0';
		setenv(name, value, 1);
	}
	return otlp_options_from_environment(options, &otlp_metrics);
}

#define FROM(options, ...)	from(options, (const char *const[]){ __VA_ARGS__, NULL })

static void environment(void)
{
	struct sender_options options;

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
	options = (struct sender_options){ .endpoint = "http://mine/", .headers = "x=y", .compression = "gzip", .timeout_ms = 1 };
	check(otlp_options_from_environment(&options, &otlp_metrics) == 0 && !strcmp(options.endpoint, "http://mine/") && !strcmp(options.headers, "x=y") &&
	      !strcmp(options.compression, "gzip") && options.timeout_ms == 1, "what is set already wins");
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
	check_number(otlp_options_from_environment(&options, &otlp_metrics), 0, "another protocol does not matter to an address of one's own");

	check_number(FROM(&options, "ENDPOINT=http://a", "PROTOCOL=grpc"), -EINVAL, "a protocol that is not spoken");
	check_number(FROM(&options, "ENDPOINT=a:4317"), -EINVAL, "an address without a scheme");
	check_number(FROM(&options, "ENDPOINT=ftp://a"), -EINVAL, "another scheme");
	check_number(FROM(&options, "ENDPOINT=file:///etc/passwd"), -EINVAL, "a file");
	check_number(FROM(&options, "ENDPOINT=http://user:secret@a"), -EINVAL, "a password in the address");
	check_number(FROM(&options, "ENDPOINT=http://a", "COMPRESSION=brotli"), -EINVAL, "an unknown compression");
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
	options = (struct sender_options){ .protocol = &otlp_metrics.protocol, .endpoint = "gopher://a" };
	check(!sender_create(&options), "no connection with options that cannot be used");
}

static void other_signals(void)
{
	static const struct otlp_signal profiles = { .variable = "PROFILES", .path = "v1development/profiles" };
	struct sender_options options = { 0 };

	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=b", 1);
	setenv("OTEL_EXPORTER_OTLP_PROFILES_TIMEOUT", "5", 1);
	check_number(otlp_options_from_environment(&options, &profiles), 0, "another signal");
	check_string(options.endpoint, "http://a:4318/v1development/profiles", "has its own path");
	check(!options.headers && options.timeout_ms == 5 && options.protocol == &profiles.protocol, "and variables");
	unsetenv("OTEL_EXPORTER_OTLP_PROFILES_TIMEOUT");
	clear_environment();
}

int main(void)
{
	clear_environment();
	environment();
	other_signals();
	hostile_answers();
	return check_end();
}
