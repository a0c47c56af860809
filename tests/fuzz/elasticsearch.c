// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the answer to a batch of documents. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "export/elasticsearch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char documents[] = "{\"create\":{}}\n{\"a\":1}\n{\"create\":{}}\n{\"a\":2}\n{\"create\":{}}\n{\"a\":3}\n";
	struct buffer body = { 0 }, rest = { 0 };
	const struct buffer sent = { .data = (char *)documents, .bytes = strlen(documents) };
	struct sender_answer answer;
	struct json json;
	size_t count;

	/* Exactly as long, so that one byte too many is seen. */
	body.data = malloc(bytes ? bytes : 1);
	body.bytes = bytes;
	memcpy(body.data, data, bytes);
	json_begin(&json, body.data, bytes);
	while (json_next(&json) < JSON_END) {
		char text[16];

		if (json.depth > JSON_DEPTH_MOST)
			abort();
		if (json.token == JSON_KEY || json.token == JSON_STRING)
			json_copy(&json, text, sizeof(text));
	}
	elasticsearch_read_answer(&answer, 503, NULL, &body);
	if (answer.verdict != SENDER_TRY_AGAIN)
		abort();
	elasticsearch_read_answer(&answer, 200, "application/json", &body);
	for (const char *c = answer.message; *c; c++) {
		if ((unsigned char)*c < ' ')
			abort();
	}
	count = elasticsearch_select_rest(&rest, &sent, &body);
	if (count > 3 || rest.bytes != count * 22 || (answer.verdict == SENDER_ACCEPTED && count))
		abort();
	free(body.data);
	buffer_free(&rest);
	return 0;
}
