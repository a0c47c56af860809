// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers come from whatever listens at the address: they are read as hostile, and made printable before they are shown. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp.h"
#include "proto/metrics.pb-c.h"
#include "symbols/printable.h"

/* Where to stop showing what others say. */
#define SHOWN_BYTES	160

static bool is_retryable(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* The message of a google.rpc.Status, else the first line of the text that proxies and other servers answer. */
static void describe(struct otlp_answer *answer, long status, const char *type, const struct buffer *body)
{
	char said[SHOWN_BYTES + 1] = "";
	Otlp__Status *reply = NULL;

	if (type && !strncmp(type, "application/x-protobuf", 22))
		reply = otlp__status__unpack(NULL, body->bytes, (const uint8_t *)body->data);
	if (reply) {
		snprintf(said, sizeof(said), "%s", reply->message);
		otlp__status__free_unpacked(reply, NULL);
	} else if (body->data && type && strncmp(type, "application/x-protobuf", 22)) {
		snprintf(said, sizeof(said), "%.*s", (int)strcspn(body->data, "\r\n"), body->data);
	}
	printable(said, strlen(said));
	snprintf(answer->message, sizeof(answer->message), "HTTP %ld%s%s", status, *said ? ": " : "", said);
}

static void read_partial_success(struct otlp_answer *answer, const Otlp__ExportMetricsPartialSuccess *partial)
{
	if (!partial)
		return;
	if (partial->rejected_data_points > 0)
		answer->rejected = (uint64_t)partial->rejected_data_points;
	snprintf(answer->message, sizeof(answer->message), "%.*s", SHOWN_BYTES, partial->error_message);
	printable(answer->message, strlen(answer->message));
}

/* Some answer in JSON whatever they were asked in: {"partialSuccess":{"rejectedDataPoints":"12"}}. */
static void read_json(struct otlp_answer *answer, const char *json)
{
	const char *at = strstr(json, "\"rejectedDataPoints\"");

	if (!at)
		return;
	at += strlen("\"rejectedDataPoints\"");
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
static void read_success(struct otlp_answer *answer, long status, const char *type, const struct buffer *body)
{
	Otlp__ExportMetricsServiceResponse *reply;
	size_t start = body->data ? strspn(body->data, " \t\r\n") : 0;

	answer->verdict = OTLP_ACCEPTED;
	if (body->data && body->data[start] == '{') {
		read_json(answer, body->data);
		return;
	}
	reply = otlp__export_metrics_service_response__unpack(NULL, body->bytes, (const uint8_t *)body->data);
	if (!reply) {
		char shown[64];

		snprintf(shown, sizeof(shown), "%s", type ? type : "unknown type");
		printable(shown, strlen(shown));
		answer->verdict = OTLP_REFUSED;
		snprintf(answer->message, sizeof(answer->message),
			 "HTTP %ld, but not as a collector answers (%s): is the address right?", status, shown);
		return;
	}
	read_partial_success(answer, reply->partial_success);
	otlp__export_metrics_service_response__free_unpacked(reply, NULL);
}

void otlp_read_answer(struct otlp_answer *answer, long status, const char *type, const struct buffer *body)
{
	*answer = (struct otlp_answer){ .verdict = OTLP_REFUSED };
	if (status >= 200 && status < 300) {
		read_success(answer, status, type, body);
		return;
	}
	if (is_retryable(status))
		answer->verdict = OTLP_TRY_AGAIN;
	describe(answer, status, type, body);
}

void otlp_read_failure(struct otlp_answer *answer, CURLcode code, const char *detail)
{
	*answer = (struct otlp_answer){ .verdict = OTLP_TRY_AGAIN };
	switch (code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:	/* also an answer that is not HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_WRITE_ERROR:			/* an answer without end, see otlp.c */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_OUT_OF_MEMORY:
		answer->verdict = OTLP_REFUSED;
		break;
	default:				/* no connection, or one that broke or stalled */
		break;
	}
	if (code == CURLE_WRITE_ERROR)
		detail = "the answer is too long";
	if (!*detail)
		detail = curl_easy_strerror(code);
	snprintf(answer->message, sizeof(answer->message), "%.*s", SHOWN_BYTES, detail);
	printable(answer->message, strlen(answer->message));
}

uint64_t otlp_backoff(uint64_t *interval, uint32_t random)
{
	const uint64_t first = 5000, most = 30000;

	*interval = *interval ? *interval * 3 / 2 : first;
	if (*interval > most)
		*interval = most;
	return *interval / 2 + *interval * (uint64_t)random / UINT32_MAX;
}
