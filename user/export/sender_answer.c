// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers come from whatever listens at the address: they are read as hostile, and made printable before they are shown. */
#include <stdio.h>
#include <string.h>

#include "export/sender_parts.h"
#include "symbols/printable.h"

bool sender_is_retryable(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

void sender_describe(struct sender_answer *answer, long status, const char *said)
{
	char shown[SENDER_SHOWN_BYTES + 1];

	snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(said, "\r\n"), said);
	printable(shown, strlen(shown));
	snprintf(answer->message, sizeof(answer->message), "HTTP %ld%s%s", status, *shown ? ": " : "", shown);
}

void sender_read_failure(struct sender_answer *answer, CURLcode code, const char *detail)
{
	*answer = (struct sender_answer){ .verdict = SENDER_TRY_AGAIN };
	switch (code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:	/* also an answer that is not HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_WRITE_ERROR:			/* an answer without end, see sender.c */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_OUT_OF_MEMORY:
		answer->verdict = SENDER_REFUSED;
		break;
	default:				/* no connection, or one that broke or stalled */
		break;
	}
	if (code == CURLE_WRITE_ERROR)
		detail = "the answer is too long";
	if (!*detail)
		detail = curl_easy_strerror(code);
	snprintf(answer->message, sizeof(answer->message), "%.*s", SENDER_SHOWN_BYTES, detail);
	printable(answer->message, strlen(answer->message));
}

uint64_t sender_backoff(uint64_t *interval, uint32_t random)
{
	const uint64_t first = 5000, most = 30000;

	*interval = *interval ? *interval * 3 / 2 : first;
	if (*interval > most)
		*interval = most;
	return *interval / 2 + *interval * (uint64_t)random / UINT32_MAX;
}
