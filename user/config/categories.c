// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/map.h"
#include "classify/category_sets.h"
#include "config/categories.h"

#define NAME_MOST	64
#define LABEL_MOST	128

static const struct {
	const char *key;
	enum condition condition;
} conditions[] = {
	{ "function", CONDITION_FUNCTION },
	{ "class", CONDITION_CLASS },
	{ "package", CONDITION_PACKAGE },
	{ "file", CONDITION_FILE },
	{ "frame_type", CONDITION_FRAME_TYPE },
	{ "syscall", CONDITION_SYSCALL },
	{ "area", CONDITION_AREA },
};

#define CONDITION_KEYS	(sizeof(conditions) / sizeof(conditions[0]))

/* A place that patterns are added to. */
struct place {
	const struct document *document;
	struct categories *categories;
	unsigned int match;
	enum part part;
};

static int add_pattern(const struct place *place, const struct node *node, enum condition condition)
{
	int error;

	if (node->kind != NODE_TEXT)
		return document_refuse(place->document, node, "a pattern must be a text: put lists within lists into one");
	error = categories_add_pattern(place->categories, place->match, place->part, condition, node->text);
	if (error == -E2BIG)
		return document_refuse(place->document, node, "the pattern \"%.40s\" is too much: one has up to %d bytes, all together up to "
				       "%d", node->text, CATEGORY_PATTERN_MOST, CATEGORY_PATTERNS_MOST);
	if (error)
		return document_refuse(place->document, node, "\"%.80s\" is not a pattern: write a name, or a part of one with * before "
				       "it, behind it or both", node->text);
	return 0;
}

static int add_patterns(const struct place *place, const struct node *node, enum condition condition)
{
	int error = 0;

	if (node->kind == NODE_TEXT)
		return add_pattern(place, node, condition);
	if (node->kind == NODE_MAP || !node->first)
		return document_refuse(place->document, node, "\"%s\" must be a pattern or a list of patterns", node->key);
	for (const struct node *item = node->first; item && !error; item = item->next)
		error = add_pattern(place, item, condition);
	return error;
}

/* 1: it is not the key of a condition. */
static int add_condition(const struct place *place, const struct node *node)
{
	for (size_t i = 0; i < CONDITION_KEYS; i++) {
		if (strcmp(node->key, conditions[i].key))
			continue;
		if (place->part != PART_FRAME && conditions[i].condition >= CONDITION_SYSCALL)
			return document_refuse(place->document, node, "\"%s\" is of the whole stack: write it beside called-by or calls, "
					       "not within", node->key);
		return add_patterns(place, node, conditions[i].condition);
	}
	return 1;
}

static int add_context(const struct place *place, const struct node *node, enum part part)
{
	const struct place inner = { place->document, place->categories, place->match, part };
	int error = 0;

	if (node->kind != NODE_MAP || !node->first)
		return document_refuse(place->document, node, "under \"%s\" there must be conditions: function, file, package, class or "
				       "frame_type", node->key);
	for (const struct node *item = node->first; item && !error; item = item->next) {
		error = add_condition(&inner, item);
		if (error == 1)
			error = document_refuse(place->document, item, "there is no condition \"%s\": take function, file, package, "
						"class or frame_type", item->key);
	}
	return error;
}

static int read_at(const struct document *document, const struct node *match, bool *leaf)
{
	const struct node *node = document_find(match, "at");

	*leaf = node && node->kind == NODE_TEXT && !strcmp(node->text, "leaf");
	if (!node || *leaf || (node->kind == NODE_TEXT && !strcmp(node->text, "anywhere")))
		return 0;
	return document_refuse(document, node, "\"at\" must be leaf or anywhere");
}

/* What is called or calls must be said, or else it is just the other one. */
static int check_match(const struct document *document, const struct node *match)
{
	bool any = false, of_frame = false, in_context = false;

	for (const struct node *item = match->first; item; item = item->next) {
		for (size_t i = 0; i < CONDITION_KEYS; i++) {
			bool same = !strcmp(item->key, conditions[i].key);

			any |= same;
			of_frame |= same && conditions[i].condition < CONDITION_SYSCALL;
		}
		in_context |= !strcmp(item->key, "called-by") || !strcmp(item->key, "calls");
	}
	if (in_context && !of_frame)
		return document_refuse(document, match, "called-by and calls need a condition on the frame itself beside them: function, "
				       "file, package, class or frame_type");
	if (!any)
		return document_refuse(document, match, "a match needs a condition: function, file, package, class, frame_type, syscall or "
				       "area");
	return 0;
}

static int add_match(const struct document *document, struct categories *categories, unsigned int category, const struct node *match)
{
	struct place place = { .document = document, .categories = categories, .part = PART_FRAME };
	bool leaf;
	int error;

	if (match->kind != NODE_MAP)
		return document_refuse(document, match, "a match must be lines of \"condition: pattern\"");
	error = check_match(document, match);
	if (!error)
		error = read_at(document, match, &leaf);
	if (error)
		return error;
	error = categories_add_match(categories, category, leaf);
	if (error < 0)
		return document_refuse(document, match, "more than %d matches", CATEGORY_MATCHES_MOST);
	place.match = (unsigned int)error;
	error = 0;
	for (const struct node *item = match->first; item && !error; item = item->next) {
		if (!strcmp(item->key, "at"))
			continue;
		if (!strcmp(item->key, "called-by"))
			error = add_context(&place, item, PART_CALLED_BY);
		else if (!strcmp(item->key, "calls"))
			error = add_context(&place, item, PART_CALLS);
		else
			error = add_condition(&place, item);
		if (error == 1)
			error = document_refuse(document, item, "there is no condition \"%s\": take function, file, package, class, "
						"frame_type, syscall, area, at, called-by or calls", item->key);
	}
	return error;
}

static bool is_name(const char *name)
{
	size_t bytes = strlen(name);

	for (size_t i = 0; i < bytes; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("_-./", name[i]))
			return false;
	}
	return bytes && bytes <= NAME_MOST;
}

/* NULL after a message; `otherwise` when there is no such key. */
static const char *read_text(const struct document *document, const struct node *map, const char *key, const char *otherwise)
{
	const struct node *node = document_find(map, key);

	if (!node)
		return otherwise;
	if (node->kind == NODE_TEXT && *node->text)
		return node->text;
	document_refuse(document, node, "\"%s\" must be a text", key);
	return NULL;
}

static int read_modes(const struct document *document, const struct node *map, unsigned int *modes)
{
	const char *text = read_text(document, map, "mode", "both");

	if (!text)
		return -EINVAL;
	*modes = !strcmp(text, "self") ? MODE_SELF : !strcmp(text, "inclusive") ? MODE_INCLUSIVE : !strcmp(text, "both") ? MODE_BOTH : 0;
	return *modes ? 0 : document_refuse(document, document_find(map, "mode"), "\"mode\" must be self, inclusive or both");
}

static int check_keys(const struct document *document, const struct node *category)
{
	for (const struct node *item = category->first; item; item = item->next) {
		if (strcmp(item->key, "name") && strcmp(item->key, "label") && strcmp(item->key, "mode") && strcmp(item->key, "match"))
			return document_refuse(document, item, "a category has no \"%s\": take name, label, mode and match", item->key);
	}
	return 0;
}

static int add_category(const struct document *document, struct categories *categories, const struct node *node)
{
	const struct node *match;
	const char *name, *label;
	unsigned int modes;
	int number, error;

	if (node->kind != NODE_MAP)
		return document_refuse(document, node, "a category must have a name and a match");
	name = read_text(document, node, "name", "");
	label = name ? read_text(document, node, "label", name) : NULL;
	if (!label || check_keys(document, node) || read_modes(document, node, &modes))
		return -EINVAL;
	if (!is_name(name))
		return document_refuse(document, node, "a category needs a name of up to %d letters, digits and _-./", NAME_MOST);
	if (strlen(label) > LABEL_MOST)
		return document_refuse(document, node, "the label has more than %d bytes", LABEL_MOST);
	match = document_find(node, "match");
	if (!match || match->kind != NODE_LIST || !match->first)
		return document_refuse(document, match ? match : node, "the category \"%s\" needs a list of matches: \"match: [ { function: "
				       "PATTERN } ]\"", name);
	number = categories_add(categories, name, label, modes);
	if (number == -EEXIST)
		return document_refuse(document, node, "there is a category \"%s\" already", name);
	if (number < 0)
		return document_refuse(document, node, "more than %d categories", CATEGORIES_MOST);
	error = 0;
	for (const struct node *item = match->first; item && !error; item = item->next)
		error = add_match(document, categories, (unsigned int)number, item);
	return error;
}

int config_add_categories(const struct document *document, struct categories *categories)
{
	const struct node *list = document_find(document->root, "categories");
	int error = 0;

	if (!list || (list->kind == NODE_TEXT && !*list->text))
		return 0;
	if (list->kind != NODE_LIST)
		return document_refuse(document, list, "\"categories\" must be a list: each begins with \"- name:\"");
	for (const struct node *item = list->first; item && !error; item = item->next)
		error = add_category(document, categories, item);
	return error;
}

const char *config_category_sets(const struct document *document)
{
	const struct node *node = document_find(document->root, "category-sets");
	struct buffer text = { 0 };
	const char *sets;

	if (!node || node->kind == NODE_MAP)
		return NULL;
	if (node->kind == NODE_TEXT)
		return intern(node->text);
	for (const struct node *item = node->first; item; item = item->next)
		buffer_format(&text, "%s,", item->kind == NODE_TEXT ? item->text : "");
	sets = intern(text.data ? text.data : "none");
	buffer_free(&text);
	return sets;
}

struct categories *config_categories(const struct document *document, const char *sets)
{
	struct categories *categories = categories_create();

	if ((document && config_add_categories(document, categories)) || category_sets_add(categories, sets)) {
		categories_destroy(categories);
		return NULL;
	}
	categories_compile(categories);
	return categories;
}
