// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/map.h"
#include "base/message.h"
#include "config/config.h"

/* Keys that are no options, and belong to others. */
static const char *const others[] = { "categories", NULL };

/* Longer words are too far from any key to be one that was mistyped. */
#define WORD_MOST	32

struct keys {
	const struct document *document;
	const struct option *options;
	const char *const *barred;
	config_take *take;
	void *context;
};

static bool is_in(const char *const *words, const char *word)
{
	while (*words && strcmp(*words, word))
		words++;
	return *words;
}

static const struct option *find(const struct keys *keys, const char *name)
{
	if (is_in(keys->barred, name))
		return NULL;
	for (const struct option *option = keys->options; option->name; option++) {
		if (!strcmp(option->name, name))
			return option;
	}
	return NULL;
}

/* How many characters must be put in, taken out or replaced to make one word of the other; both are up to WORD_MOST long. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[WORD_MOST + 1], columns = (unsigned int)strlen(b);

	for (unsigned int j = 0; j <= columns; j++)
		row[j] = j;
	for (unsigned int i = 1; *a; i++, a++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= columns; j++) {
			unsigned int least = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			least = least < row[j] + 1 ? least : row[j] + 1;
			row[j] = least < row[j - 1] + 1 ? least : row[j - 1] + 1;
		}
	}
	return row[columns];
}

/* Two neighbours changed places, which fingers do more often than anything else. */
static bool is_swapped(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a && *b && a[0] == b[1] && a[1] == b[0] && !strcmp(a + 2, b + 2);
}

/* A third of the longer word may be wrong: of short words, with more, any would be near to some key. */
static bool is_near(const char *word, const char *key, unsigned int far)
{
	size_t a = strlen(word), b = strlen(key);

	return 3 * far <= (a > b ? a : b);
}

static void nearer(const char *word, const char *key, const char **nearest, unsigned int *least)
{
	unsigned int far;

	if (strlen(key) > WORD_MOST)
		return;
	far = is_swapped(word, key) ? 1 : distance(word, key);
	if (far < *least && is_near(word, key, far)) {
		*least = far;
		*nearest = key;
	}
}

static int refuse_key(const struct keys *keys, const struct node *node)
{
	const char *nearest = NULL;
	unsigned int least = 4;

	if (is_in(keys->barred, node->key)) {
		document_refuse(keys->document, node, "\"%s\" is for the command line only: leave it out here", node->key);
		return EXIT_USAGE;
	}
	if (strlen(node->key) <= WORD_MOST) {
		for (const struct option *option = keys->options; option->name; option++)
			if (!is_in(keys->barred, option->name))
				nearer(node->key, option->name, &nearest, &least);
		for (size_t i = 0; others[i]; i++)
			nearer(node->key, others[i], &nearest, &least);
	}
	if (nearest)
		document_refuse(keys->document, node, "there is no key \"%s\": is \"%s\" meant?", node->key, nearest);
	else
		document_refuse(keys->document, node, "there is no key \"%s\": keys are the long options of ktallyd --help, and categories",
			    node->key);
	return EXIT_USAGE;
}

/* What options say of their argument is about this line. */
static int take(const struct keys *keys, const struct node *node, int option, const char *argument)
{
	int code;

	message_place(keys->document->path, node->line);
	code = keys->take(keys->context, option, argument);
	message_place(NULL, 0);
	return code;
}

static int take_text(const struct keys *keys, const struct node *node, const struct option *option)
{
	bool yes = !strcmp(node->text, "true"), no = !strcmp(node->text, "false");

	if (option->has_arg == required_argument) {
		if (*node->text)
			return take(keys, node, option->val, node->text);
		document_refuse(keys->document, node, "\"%s\" has no value: write one behind it, or leave it out", node->key);
		return EXIT_USAGE;
	}
	if (no)
		return -1;
	if (yes)
		return take(keys, node, option->val, NULL);
	if (option->has_arg == optional_argument && *node->text)
		return take(keys, node, option->val, node->text);
	document_refuse(keys->document, node, "\"%s\" is \"%s\", and must be true or false", node->key, node->text);
	return EXIT_USAGE;
}

/* Items with commas between them, as on the command line. */
static int take_list(const struct keys *keys, const struct node *list, const struct option *option)
{
	struct buffer text = { 0 };
	const char *argument;

	for (const struct node *item = list->first; item; item = item->next) {
		if (item->kind != NODE_TEXT || !*item->text || strchr(item->text, ',')) {
			document_refuse(keys->document, item, "what is listed for \"%s\" must be words without commas", list->key);
			buffer_free(&text);
			return EXIT_USAGE;
		}
		buffer_format(&text, "%s%s", text.bytes ? "," : "", item->text);
	}
	argument = intern(text.data ? text.data : "");
	buffer_free(&text);
	return take(keys, list, option->val, argument);
}

/* Each item is "key=value". */
static int take_map(const struct keys *keys, const struct node *map, const struct option *option)
{
	int code = -1;

	for (const struct node *item = map->first; item && code < 0; item = item->next) {
		struct buffer text = { 0 };

		if (item->kind != NODE_TEXT || strchr(item->key, '=')) {
			document_refuse(keys->document, item, "under \"%s\" there must be lines of \"key: value\"", map->key);
			return EXIT_USAGE;
		}
		buffer_format(&text, "%s=%s", item->key, item->text);
		code = take(keys, item, option->val, intern(text.data));
		buffer_free(&text);
	}
	return code;
}

static int take_key(const struct keys *keys, const struct node *node)
{
	const struct option *option = find(keys, node->key);

	if (!option)
		return is_in(others, node->key) ? -1 : refuse_key(keys, node);
	if (node->kind == NODE_TEXT)
		return take_text(keys, node, option);
	if (option->has_arg == no_argument) {
		document_refuse(keys->document, node, "\"%s\" must be true or false", node->key);
		return EXIT_USAGE;
	}
	return node->kind == NODE_LIST ? take_list(keys, node, option) : take_map(keys, node, option);
}

int config_take_options(const struct document *document, const struct option *options, const char *const *barred, config_take *take_option,
			void *context)
{
	const struct keys keys = { document, options, barred, take_option, context };
	int code = -1;

	for (const struct node *node = document->root->first; node && code < 0; node = node->next)
		code = take_key(&keys, node);
	return code;
}
