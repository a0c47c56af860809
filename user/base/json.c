// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/json.h"

void json_begin(struct json *json, const char *text, size_t bytes)
{
	*json = (struct json){ .token = JSON_NULL, .at = text, .end = text + bytes, .wants_value = true };
}

static enum json_token broken(struct json *json)
{
	json->at = json->end;
	json->text = NULL;
	json->bytes = 0;
	return json->token = JSON_BROKEN;
}

static bool is_digit(const struct json *json)
{
	return json->at < json->end && *json->at >= '0' && *json->at <= '9';
}

static bool take(struct json *json, char c)
{
	if (json->at == json->end || *json->at != c)
		return false;
	json->at++;
	return true;
}

static void skip_space(struct json *json)
{
	while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
		json->at++;
}

/* ---- values ---- */

static bool is_hexadecimal(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* From after the quote. */
static bool take_string(struct json *json)
{
	json->text = json->at;
	while (json->at < json->end && *json->at != '"') {
		if ((unsigned char)*json->at < ' ')
			return false;
		if (*json->at++ != '\\')
			continue;
		if (json->at == json->end)
			return false;
		if (*json->at == 'u') {
			if (json->end - json->at < 5)
				return false;
			for (int i = 1; i < 5; i++) {
				if (!is_hexadecimal(json->at[i]))
					return false;
			}
		} else if (!*json->at || !strchr("\"\\/bfnrt", *json->at)) {
			return false;
		}
		json->at++;
	}
	json->bytes = (size_t)(json->at - json->text);
	return take(json, '"');
}

static bool take_digits(struct json *json)
{
	if (!is_digit(json))
		return false;
	while (is_digit(json))
		json->at++;
	return true;
}

static bool take_number(struct json *json)
{
	json->text = json->at;
	take(json, '-');
	if (!take(json, '0') && !take_digits(json))
		return false;
	if (take(json, '.') && !take_digits(json))
		return false;
	if (take(json, 'e') || take(json, 'E')) {
		if (!take(json, '+'))
			take(json, '-');
		if (!take_digits(json))
			return false;
	}
	json->bytes = (size_t)(json->at - json->text);
	return true;
}

static bool take_word(struct json *json, const char *word)
{
	size_t bytes = strlen(word);

	if ((size_t)(json->end - json->at) < bytes || memcmp(json->at, word, bytes))
		return false;
	json->at += bytes;
	return true;
}

/* ---- structure ---- */

static bool in_object(const struct json *json)
{
	return json->depth && json->objects >> (json->depth - 1) & 1;
}

static enum json_token enter(struct json *json, bool object)
{
	if (json->depth == JSON_DEPTH_MOST)
		return broken(json);
	json->objects &= ~(1ULL << json->depth);
	json->objects |= (uint64_t)object << json->depth;
	json->depth++;
	json->may_end = true;
	json->wants_key = object;
	json->wants_value = !object;
	return json->token = object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token leave(struct json *json, bool object)
{
	if (!json->depth || in_object(json) != object)
		return broken(json);
	json->depth--;
	json->may_end = json->wants_key = json->wants_value = false;
	return json->token = object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_token value(struct json *json)
{
	static const struct {
		const char *word;
		enum json_token token;
	} words[] = { { "true", JSON_TRUE }, { "false", JSON_FALSE }, { "null", JSON_NULL } };

	json->wants_value = json->may_end = false;
	if (take(json, '{'))
		return enter(json, true);
	if (take(json, '['))
		return enter(json, false);
	if (take(json, '"'))
		return take_string(json) ? (json->token = JSON_STRING) : broken(json);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (take_word(json, words[i].word))
			return json->token = words[i].token;
	}
	return take_number(json) ? (json->token = JSON_NUMBER) : broken(json);
}

static enum json_token key(struct json *json)
{
	json->wants_key = json->may_end = false;
	if (!take(json, '"') || !take_string(json))
		return broken(json);
	skip_space(json);
	if (!take(json, ':'))
		return broken(json);
	json->wants_value = true;
	return json->token = JSON_KEY;
}

enum json_token json_next(struct json *json)
{
	if (json->token >= JSON_END)
		return json->token;
	skip_space(json);
	if (json->at == json->end) {
		if (json->depth || json->wants_value)
			return broken(json);
		return json->token = JSON_END;
	}
	if (json->may_end || (!json->wants_key && !json->wants_value)) {
		if (take(json, '}'))
			return leave(json, true);
		if (take(json, ']'))
			return leave(json, false);
	}
	if (!json->wants_key && !json->wants_value) {
		if (!json->depth || !take(json, ','))
			return broken(json);
		skip_space(json);
		json->wants_key = in_object(json);
		json->wants_value = !json->wants_key;
	}
	return json->wants_key ? key(json) : value(json);
}

void json_skip(struct json *json)
{
	unsigned int depth = json->depth;

	do
		json_next(json);
	while (json->token < JSON_END && json->depth > depth);
}

/* ---- what a token says ---- */

bool json_is(const struct json *json, const char *text)
{
	return json->bytes == strlen(text) && !memcmp(json->text, text, json->bytes);
}

static unsigned int four_digits(const char *at)
{
	unsigned int number = 0;

	for (int i = 0; i < 4; i++)
		number = number << 4 | (unsigned int)(at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
	return number;
}

/* Half of a pair is no character. */
static unsigned int escaped_character(const char **at, const char *end)
{
	unsigned int high = four_digits(*at + 1), low;

	*at += 5;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return 0xfffd;
	low = four_digits(*at + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*at += 6;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static size_t encode(char *out, unsigned int character)
{
	if (!character)
		character = 0xfffd;
	if (character < 0x80) {
		out[0] = (char)character;
		return 1;
	}
	if (character < 0x800) {
		out[0] = (char)(0xc0 | character >> 6);
		out[1] = (char)(0x80 | (character & 0x3f));
		return 2;
	}
	if (character < 0x10000) {
		out[0] = (char)(0xe0 | character >> 12);
		out[1] = (char)(0x80 | (character >> 6 & 0x3f));
		out[2] = (char)(0x80 | (character & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | character >> 18);
	out[1] = (char)(0x80 | (character >> 12 & 0x3f));
	out[2] = (char)(0x80 | (character >> 6 & 0x3f));
	out[3] = (char)(0x80 | (character & 0x3f));
	return 4;
}

void json_copy(const struct json *json, char *text, size_t room)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *at = json->text, *end = at + json->bytes;
	size_t used = 0;

	while (at < end) {
		unsigned int character = (unsigned char)*at;
		char piece[4] = { *at };
		size_t bytes = 1;

		if (*at != '\\') {
			at++;
			bytes = character ? 1 : encode(piece, 0);
		} else if (*++at == 'u') {
			bytes = encode(piece, escaped_character(&at, end));
		} else {
			const char *letter = strchr(letters, *at);

			piece[0] = letter ? meant[letter - letters] : *at;
			at++;
		}
		if (used + bytes >= room)
			break;
		memcpy(text + used, piece, bytes);
		used += bytes;
	}
	text[used] = '\0';
}

uint64_t json_integer(const struct json *json)
{
	uint64_t number = 0;

	for (size_t i = 0; i < json->bytes; i++) {
		char c = json->text[i];

		if (c < '0' || c > '9' || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(c - '0'), &number))
			return UINT64_MAX;
	}
	return json->bytes && json->token == JSON_NUMBER ? number : UINT64_MAX;
}
