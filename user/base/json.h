/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads JSON that somebody else wrote, token by token, strictly (RFC 8259), without memory of its own:
 *
 *	struct json json;
 *
 *	json_begin(&json, text, bytes);
 *	while (json_next(&json) < JSON_END)
 *		if (json.token == JSON_KEY && json_is(&json, "status"))
 *			...
 *
 * It ends with JSON_END when all of it was one value, else with JSON_BROKEN, and stays there.
 */
#ifndef KTALLY_JSON_H
#define KTALLY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MOST 64

enum json_token {
	JSON_OBJECT, JSON_OBJECT_END,
	JSON_ARRAY, JSON_ARRAY_END,
	JSON_KEY,			/* its value is next */
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE, JSON_FALSE, JSON_NULL,
	JSON_END,
	JSON_BROKEN,			/* not well-formed, cut off, or deeper than JSON_DEPTH_MOST */
};

struct json {
	enum json_token token;		/* the last one */
	const char *text;		/* of a key, string or number: as it is written, without quotes */
	size_t bytes;
	unsigned int depth;		/* of objects and arrays around the next token */

	const char *at, *end;
	uint64_t objects;		/* a bit for each depth: it is an object, not an array */
	bool wants_key, wants_value;	/* what must come next; neither: a comma or an end */
	bool may_end;			/* nothing is in the object or array yet */
};

void json_begin(struct json *json, const char *text, size_t bytes);
enum json_token json_next(struct json *json);

bool json_is(const struct json *json, const char *text);	/* a key or string without escapes */

/* Goes over the value that is next, whatever it has in it. After a key, or in an array. */
void json_skip(struct json *json);

/* A key's or string's text with its escapes undone, cut to the room and zero-terminated; a zero in it becomes U+FFFD. */
void json_copy(const struct json *json, char *text, size_t room);

/* A number that is an integer from 0 on; UINT64_MAX: it is none, or too large. */
uint64_t json_integer(const struct json *json);

#endif
