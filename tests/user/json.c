// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON of others: what is well-formed is read, and nothing else is. */
#include "base/buffer.h"
#include "base/json.h"
#include "check.h"

/* The tokens as letters, keys and scalars with their text. */
static char *tokens_of(const char *text, size_t bytes)
{
	static const char letters[] = "{}[]ks#tfn.!";
	struct buffer tokens = { 0 };
	struct json json;
	char *exact = malloc(bytes ? bytes : 1);

	memcpy(exact, text, bytes);
	json_begin(&json, exact, bytes);
	do {
		json_next(&json);
		buffer_append(&tokens, &letters[json.token], 1);
		if (json.token >= JSON_KEY && json.token <= JSON_NUMBER)
			buffer_append(&tokens, json.text, json.bytes);
	} while (json.token < JSON_END);
	json_next(&json);
	if (json.token < JSON_END)
		buffer_string(&tokens, "goes on!");
	free(exact);
	return tokens.data;
}

static void reads(const char *text, const char *wanted)
{
	char *tokens = tokens_of(text, strlen(text));

	check_string(tokens, wanted, "%s", text);
	free(tokens);
}

static void breaks(const char *text)
{
	char *tokens = tokens_of(text, strlen(text));

	check(tokens[strlen(tokens) - 1] == '!', "refused: %.*s", (int)strcspn(text, "\n"), text);
	free(tokens);
}

static void test_tokens(void)
{
	static const char whole[] = "{\"a\": [1, -2.5e+3, \"b\\\"\\u00e4\"], \"c\": {\"d\": null}, \"e\": [true, false, {}, []]}";
	char deep[2 * JSON_DEPTH_MOST + 2], *tokens;
	unsigned int broken = 0;

	reads("{}", "{}.");
	reads(" [ ] ", "[].");
	reads("0", "#0.");
	reads("\"\"", "s.");
	reads("{\"a\":1}", "{ka#1}.");
	reads(whole, "{ka[#1#-2.5e+3sb\\\"\\u00e4]kc{kdn}ke[tf{}[]]}.");
	for (size_t bytes = 0; bytes < strlen(whole); bytes++) {
		tokens = tokens_of(whole, bytes);
		broken += tokens[strlen(tokens) - 1] == '!';
		free(tokens);
	}
	check_number(broken, strlen(whole), "cut off anywhere it is refused");
	for (int depth = JSON_DEPTH_MOST; depth <= JSON_DEPTH_MOST + 1; depth++) {
		memset(deep, '[', (size_t)depth);
		memset(deep + depth, ']', (size_t)depth);
		tokens = tokens_of(deep, 2 * (size_t)depth > sizeof(deep) ? sizeof(deep) : 2 * (size_t)depth);
		check((tokens[strlen(tokens) - 1] == '.') == (depth == JSON_DEPTH_MOST), "%d arrays within each other", depth);
		free(tokens);
	}
}

static void test_broken(void)
{
	static const char *const texts[] = {
		"", " ", "{", "}", "]", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "[1 2]", "[,1]", "{,}", "[1}", "{\"a\":1]",
		"01", "-", "1.", ".5", "1e", "+1", "0x1", "tru", "nul", "NaN", "1 2", "{} {}", "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"a\nb\"",
		"{\"a\":1 \"b\":2}", "[1],", "{\"a\"::1}", "{\"a\" 1}", "'a'", "// 1", "[\"\\",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		breaks(texts[i]);
}

static void test_text(void)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "\"a\\\"b\\\\c\\/d\\n\\t\"", "a\"b\\c/d\n\t" },
		{ "\"\\u00e4\\u20ac\\ud83d\\ude00\"", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\"\\ud83dx\\ude00\"", "\xef\xbf\xbdx\xef\xbf\xbd" },
		{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
		{ "\"\\u0000\"", "\xef\xbf\xbd" },
	};
	struct json json;
	char text[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_begin(&json, cases[i].json, strlen(cases[i].json));
		json_next(&json);
		json_copy(&json, text, sizeof(text));
		check_string(text, cases[i].text, "%s", cases[i].json);
	}
	json_begin(&json, "\"abcdef\\u20ac\"", 14);
	json_next(&json);
	json_copy(&json, text, 9);
	check_string(text, "abcdef", "no room for half a character");
	json_copy(&json, text, 1);
	check_string(text, "", "nor for anything");
}

static void test_values(void)
{
	static const struct {
		const char *json;
		uint64_t number;
	} numbers[] = {
		{ "429", 429 }, { "0", 0 }, { "18446744073709551615", UINT64_MAX }, { "18446744073709551616", UINT64_MAX }, { "-1", UINT64_MAX },
		{ "1.5", UINT64_MAX }, { "1e3", UINT64_MAX }, { "\"1\"", UINT64_MAX },
	};
	struct json json;
	static const char text[] = "{\"skip\":{\"status\":1,\"x\":[{}]},\"status\":2}";

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_begin(&json, numbers[i].json, strlen(numbers[i].json));
		json_next(&json);
		check(json_integer(&json) == numbers[i].number, "the integer %s", numbers[i].json);
	}
	json_begin(&json, text, strlen(text));
	json_next(&json);
	json_next(&json);
	json_skip(&json);
	check_number(json.token, JSON_OBJECT_END, "a value is gone over");
	check(json_next(&json) == JSON_KEY && json_is(&json, "status"), "to the next key");
	json_skip(&json);
	check_number(json_integer(&json), 2, "and its value");
}

int main(void)
{
	test_tokens();
	test_broken();
	test_text();
	test_values();
	return check_end();
}
