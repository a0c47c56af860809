// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What Elasticsearch says of a batch, read as hostile. Asked as in elasticsearch_options(), it has of each document, in their order,
 * its status and why it was not taken:
 *
 *	{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"...","reason":"..."}}}]}
 *
 * or, when it took none, {"error":{"type":"...","reason":"..."},"status":401}.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "export/elasticsearch.h"
#include "symbols/printable.h"

#define REASON_BYTES 160

/* What is said of a document, or of the whole request. */
struct item {
	uint64_t status;
	char reason[REASON_BYTES];	/* "" when there is none */
};

/* "type: reason". Of an object that has both, or a text. */
static void read_error(struct json *json, struct item *item)
{
	char type[REASON_BYTES] = "", reason[REASON_BYTES] = "";

	if (json_next(json) == JSON_STRING) {
		json_copy(json, item->reason, sizeof(item->reason));
		return;
	}
	if (json->token != JSON_OBJECT)
		return;
	while (json_next(json) == JSON_KEY) {
		bool is_type = json_is(json, "type"), is_reason = json_is(json, "reason");

		json_skip(json);
		if (json->token == JSON_STRING && is_type)
			json_copy(json, type, sizeof(type));
		else if (json->token == JSON_STRING && is_reason)
			json_copy(json, reason, sizeof(reason));
	}
	snprintf(item->reason, sizeof(item->reason), "%.64s%s%.90s", type, *type && *reason ? ": " : "", reason);
}

/* From after the beginning of its object to the end. */
static void read_fields(struct json *json, struct item *item)
{
	while (json_next(json) == JSON_KEY) {
		if (json_is(json, "status")) {
			json_skip(json);
			item->status = json_integer(json);
		} else if (json_is(json, "error")) {
			read_error(json, item);
		} else {
			json_skip(json);
		}
	}
}

/* An element of "items": {"create":{...}}. false: there is no other. */
static bool next_item(struct json *json, struct item *item)
{
	*item = (struct item){ .status = 0 };
	if (json_next(json) != JSON_OBJECT)
		return false;
	while (json_next(json) == JSON_KEY) {
		if (json_next(json) == JSON_OBJECT)
			read_fields(json, item);
		else if (json->token == JSON_ARRAY)
			return false;
	}
	return json->token == JSON_OBJECT_END;
}

/* Up to the array of items. false: there is none. *errors is left alone when nothing is said of it. */
static bool find_items(struct json *json, const struct buffer *body, bool *errors)
{
	json_begin(json, body->data ? body->data : "", body->bytes);
	if (json_next(json) != JSON_OBJECT)
		return false;
	while (json_next(json) == JSON_KEY) {
		if (json_is(json, "items"))
			return json_next(json) == JSON_ARRAY;
		if (json_is(json, "errors")) {
			json_skip(json);
			*errors = json->token != JSON_FALSE;
			continue;
		}
		json_skip(json);
	}
	return false;
}

enum fate { TAKEN, LATER, NEVER };

/* 409: there is one of this series and time, which is this one: it was sent before, and the answer got lost. */
static enum fate fate_of(const struct item *item)
{
	if ((item->status >= 200 && item->status < 300) || item->status == 409)
		return TAKEN;
	return sender_is_retryable((long)item->status) ? LATER : NEVER;
}

/* Whether it is an answer of Elasticsearch at all. */
static bool read_items(struct sender_answer *answer, const struct buffer *body)
{
	uint64_t taken = 0, later = 0;
	bool errors = true, has_items;
	char reason[REASON_BYTES] = "";
	struct item item;
	struct json json;

	has_items = find_items(&json, body, &errors);
	while (has_items && next_item(&json, &item)) {
		enum fate fate = fate_of(&item);

		taken += fate == TAKEN;
		later += fate == LATER;
		answer->rejected += fate == NEVER;
		/* Why something is lost is told rather than why it waits. */
		if ((fate == NEVER && answer->rejected == 1) || (fate == LATER && !*reason))
			snprintf(reason, sizeof(reason), "%s", item.reason);
	}
	if (!has_items && (errors || json.token != JSON_OBJECT_END))
		return false;
	if (has_items && json.token != JSON_ARRAY_END)
		return false;
	printable(reason, strlen(reason));
	answer->verdict = !later ? SENDER_ACCEPTED : taken || answer->rejected ? SENDER_PARTLY : SENDER_TRY_AGAIN;
	snprintf(answer->message, sizeof(answer->message), "%s", reason);
	return true;
}

void elasticsearch_read_answer(struct sender_answer *answer, long status, const char *type, const struct buffer *body)
{
	struct item item = { .status = 0 };
	struct json json;

	(void)type;
	*answer = (struct sender_answer){ .verdict = SENDER_REFUSED };
	if (status >= 200 && status < 300) {
		if (read_items(answer, body))
			return;
		*answer = (struct sender_answer){ .verdict = SENDER_REFUSED };
		snprintf(answer->message, sizeof(answer->message),
			 "HTTP %ld, but not as Elasticsearch answers: is the address right?", status);
		return;
	}
	if (sender_is_retryable(status))
		answer->verdict = SENDER_TRY_AGAIN;
	json_begin(&json, body->data ? body->data : "", body->bytes);
	if (json_next(&json) == JSON_OBJECT)
		read_fields(&json, &item);
	sender_describe(answer, status, item.reason);
}

/* The line after the one at `at`; the end when there is none. */
static const char *next_line(const char *at, const char *end)
{
	const char *line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

	return line ? line + 1 : end;
}

size_t elasticsearch_select_rest(struct buffer *rest, const struct buffer *sent, const struct buffer *body)
{
	const char *at = sent->data, *end = at + sent->bytes;
	bool errors = true;
	size_t count = 0;
	struct item item;
	struct json json;

	if (!find_items(&json, body, &errors))
		return 0;
	while (at < end && next_item(&json, &item)) {
		const char *next = next_line(next_line(at, end), end);

		if (fate_of(&item) == LATER) {
			buffer_append(rest, at, (size_t)(next - at));
			count++;
		}
		at = next;
	}
	return count;
}

const struct sender_protocol elasticsearch_bulk = {
	.name = "documents",
	.content_type = "application/x-ndjson",
	.body_kept = 1 << 20,
	.read_answer = elasticsearch_read_answer,
	.select_rest = elasticsearch_select_rest,
};
