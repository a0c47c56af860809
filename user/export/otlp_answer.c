// SPDX-License-Identifier: GPL-2.0-or-later
/* What a collector says of a request: read as hostile, as anything may listen at the address. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp.h"
#include "proto/metrics.pb-c.h"
#include "symbols/printable.h"

/* The message of a google.rpc.Status, else the first line of the text that proxies and other servers answer. */
static void describe(struct sender_answer *answer, long status, const char *type, const struct buffer *body)
{
	bool protobuf = type && !strncmp(type, "application/x-protobuf", 22);
	Otlp__Status *reply = NULL;

	if (protobuf)
		reply = otlp__status__unpack(NULL, body->bytes, (const uint8_t *)body->data);
	sender_describe(answer, status, reply ? reply->message : body->data && type && !protobuf ? body->data : "");
	if (reply)
		otlp__status__free_unpacked(reply, NULL);
}

static void read_partial_success(struct sender_answer *answer, const Otlp__ExportMetricsPartialSuccess *partial)
{
	if (!partial)
		return;
	if (partial->rejected_data_points > 0)
		answer->rejected = (uint64_t)partial->rejected_data_points;
	snprintf(answer->message, sizeof(answer->message), "%.*s", SENDER_SHOWN_BYTES, partial->error_message);
	printable(answer->message, strlen(answer->message));
}

/* Some answer in JSON whatever they were asked in: {"partialSuccess":{"rejectedDataPoints":"12"}}. */
static void read_json(struct sender_answer *answer, const char *json)
{
	static const char *const keys[] = { "\"rejectedDataPoints\"", "\"rejectedProfiles\"" };
	const char *at = NULL;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !at; i++) {
		at = strstr(json, keys[i]);
		if (at)
			at += strlen(keys[i]);
	}
	if (!at)
		return;
	at += strspn(at, " \t\r\n:\"");
	for (unsigned int digits = 0; isdigit((unsigned char)*at) && digits < 18; digits++)
		answer->rejected = answer->rejected * 10 + (uint64_t)(*at++ - '0');
	if (answer->rejected)
		snprintf(answer->message, sizeof(answer->message), "no reason that can be read");
}

/*
 * An empty body is an empty message. A body that is no message at all is not from a collector: whoever said 200 there
 * will have said so to any request.
 */
static void read_success(struct sender_answer *answer, long status, const char *type, const struct buffer *body)
{
	Otlp__ExportMetricsServiceResponse *reply;
	size_t start = body->data ? strspn(body->data, " \t\r\n") : 0;

	answer->verdict = SENDER_ACCEPTED;
	if (body->data && body->data[start] == '{') {
		read_json(answer, body->data);
		return;
	}
	reply = otlp__export_metrics_service_response__unpack(NULL, body->bytes, (const uint8_t *)body->data);
	if (!reply) {
		char shown[64];

		snprintf(shown, sizeof(shown), "%s", type ? type : "unknown type");
		printable(shown, strlen(shown));
		answer->verdict = SENDER_REFUSED;
		snprintf(answer->message, sizeof(answer->message),
			 "HTTP %ld, but not as a collector answers (%s): is the address right?", status, shown);
		return;
	}
	read_partial_success(answer, reply->partial_success);
	otlp__export_metrics_service_response__free_unpacked(reply, NULL);
}

void otlp_read_answer(struct sender_answer *answer, long status, const char *type, const struct buffer *body)
{
	*answer = (struct sender_answer){ .verdict = SENDER_REFUSED };
	if (status >= 200 && status < 300) {
		read_success(answer, status, type, body);
		return;
	}
	if (sender_is_retryable(status))
		answer->verdict = SENDER_TRY_AGAIN;
	describe(answer, status, type, body);
}

const struct otlp_signal otlp_metrics = {
	.variable = "METRICS",
	.path = "v1/metrics",
	.protocol = { .name = "metrics", .content_type = "application/x-protobuf", .read_answer = otlp_read_answer },
};

const struct otlp_signal otlp_profiles = {
	.variable = "PROFILES",
	.path = "v1development/profiles",
	.protocol = { .name = "profiles", .content_type = "application/x-protobuf", .read_answer = otlp_read_answer },
};
