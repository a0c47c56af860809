// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conditions of a match on one frame are a clause. One condition of the clause on the frame itself, the most telling one, is
 * its driver: only when a frame meets that one is anything else of the match looked at. Which conditions a name meets is found
 * by an automaton, once for each name, and kept. So a frame costs some look-ups, and a little for each match whose driver it meets.
 *
 * A stack is walked once, from the leaf to the root. The innermost frame that will do is the best one: the more frames are further out.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/automaton.h"
#include "classify/categories.h"
#include "classify/hits.h"
#include "classify/scope.h"

#define NEVER	UINT32_MAX

/* Texts that patterns are for: names of files are of two sorts. */
enum text {
	TEXT_FUNCTION, TEXT_CLASS, TEXT_PACKAGE, TEXT_NAME, TEXT_PATH, TEXT_TYPE, TEXT_SYSCALL, TEXT_AREA, TEXTS,
};

struct clause {
	unsigned int match;
	enum part part;
	unsigned int conditions;	/* bits, by enum condition */
	unsigned int filters;		/* all but the driver */
	enum condition driver;		/* of PART_FRAME; others have none */
};

struct match {
	unsigned int category;
	bool at_leaf;
	bool has_area, has_syscall;
	int clauses[PARTS];		/* -1: none */
	/* Of the stack that is being looked at: */
	unsigned int stack;		/* its number, else the rest is of another one */
	uint32_t innermost;		/* frame that will do, NEVER */
	uint32_t not_called;		/* frames up to here are none that PART_CALLS is about; NEVER: there is one */
};

struct pattern {
	unsigned int owner;		/* number of a clause; of a match for conditions of the stack */
	enum condition condition;
	const char *text;		/* interned */
};

/* Of one frame, by what conditions look at. */
struct frame_hits {
	const struct hits *function, *file, *type;
};

struct categories {
	struct category *list;
	size_t count;
	struct match *matches;
	size_t match_count;
	struct clause *clauses;
	size_t clause_count;
	struct pattern *patterns;
	size_t pattern_count, pattern_bytes;
	struct automaton *automata[TEXTS];
	struct map functions, files, types, syscalls, areas;	/* interned name -> struct hits: drivers are odd */
	uint64_t names;			/* for intern_has_forgotten() */
	unsigned int stack;		/* number of the one that is being looked at */
	struct frame_hits *frames;	/* of it */
	size_t frames_room;
	unsigned int *met;		/* matches with a frame that will do, in it */
	size_t met_count;
	bool needs_syscalls;
};

/* ---- making ---- */

struct categories *categories_create(void)
{
	return memory_zeroed(1, sizeof(struct categories));
}

void categories_destroy(struct categories *categories)
{
	if (!categories)
		return;
	for (unsigned int i = 0; i < TEXTS; i++)
		automaton_destroy(categories->automata[i]);
	hits_free(&categories->functions);
	hits_free(&categories->files);
	hits_free(&categories->types);
	hits_free(&categories->syscalls);
	hits_free(&categories->areas);
	free(categories->list);
	free(categories->matches);
	free(categories->clauses);
	free(categories->patterns);
	free(categories->frames);
	free(categories->met);
	free(categories);
}

/* One more, of any of the arrays. */
static void *grown(void *array, size_t *count, size_t bytes)
{
	if ((*count & (*count - 1)) == 0)
		array = memory_resized(array, *count ? *count * 2 : 1, bytes);
	++*count;
	return array;
}

int categories_add(struct categories *categories, const char *name, const char *label, unsigned int modes)
{
	for (size_t i = 0; i < categories->count; i++) {
		if (!strcmp(categories->list[i].name, name))
			return -EEXIST;
	}
	if (categories->count == CATEGORIES_MOST)
		return -E2BIG;
	categories->list = grown(categories->list, &categories->count, sizeof(*categories->list));
	categories->list[categories->count - 1] = (struct category){ intern(name), intern(label), modes };
	return (int)categories->count - 1;
}

int categories_add_match(struct categories *categories, unsigned int category, bool at_leaf)
{
	if (categories->match_count == CATEGORY_MATCHES_MOST)
		return -E2BIG;
	categories->matches = grown(categories->matches, &categories->match_count, sizeof(*categories->matches));
	categories->matches[categories->match_count - 1] = (struct match){
		.category = category, .at_leaf = at_leaf, .clauses = { -1, -1, -1 },
	};
	return (int)categories->match_count - 1;
}

/* Something other than stars, which are only at its ends and where Go has them. */
static bool is_pattern(const char *pattern)
{
	size_t bytes = strlen(pattern), begin = *pattern == '*';
	size_t end = bytes > begin && pattern[bytes - 1] == '*' ? bytes - 1 : bytes;

	for (size_t i = 0; i < bytes; i++) {
		bool inside = i >= begin && i < end;

		if ((unsigned char)pattern[i] < ' ' || pattern[i] == 0x7f)
			return false;
		if (inside && pattern[i] == '*' && (i == begin || pattern[i - 1] != '('))
			return false;
	}
	return end > begin;
}

static unsigned int clause_for(struct categories *categories, unsigned int match, enum part part)
{
	int *clause = &categories->matches[match].clauses[part];

	if (*clause < 0) {
		categories->clauses = grown(categories->clauses, &categories->clause_count, sizeof(*categories->clauses));
		*clause = (int)categories->clause_count - 1;
		categories->clauses[*clause] = (struct clause){ .match = match, .part = part };
	}
	return (unsigned int)*clause;
}

int categories_add_pattern(struct categories *categories, unsigned int match, enum part part, enum condition condition,
			   const char *pattern)
{
	size_t bytes = strlen(pattern);
	unsigned int owner = match;

	if (bytes > CATEGORY_PATTERN_MOST || categories->pattern_bytes + bytes > CATEGORY_PATTERNS_MOST)
		return -E2BIG;
	if (!is_pattern(pattern) || (condition >= CONDITION_SYSCALL && part != PART_FRAME))
		return -EINVAL;
	if (condition == CONDITION_SYSCALL) {
		categories->matches[match].has_syscall = true;
	} else if (condition == CONDITION_AREA) {
		categories->matches[match].has_area = true;
	} else {
		owner = clause_for(categories, match, part);
		categories->clauses[owner].conditions |= 1U << condition;
	}
	categories->patterns = grown(categories->patterns, &categories->pattern_count, sizeof(*categories->patterns));
	categories->patterns[categories->pattern_count - 1] = (struct pattern){ owner, condition, intern(pattern) };
	categories->pattern_bytes += bytes;
	return 0;
}

/* ---- compiling ---- */

/* In an automaton, a rule is an owner with a condition, and whether that drives it. */
static uint32_t rule_of(unsigned int owner, enum condition condition, bool drives)
{
	return (owner * CONDITIONS + condition) * 2 + drives;
}

static unsigned int owner_of(uint32_t rule)
{
	return rule / 2 / CONDITIONS;
}

static bool drives(const struct categories *categories, const struct pattern *pattern)
{
	const struct match *match;

	if (pattern->condition < CONDITION_SYSCALL) {
		const struct clause *clause = &categories->clauses[pattern->owner];

		return clause->part == PART_FRAME && clause->driver == pattern->condition;
	}
	match = &categories->matches[pattern->owner];
	if (match->clauses[PART_FRAME] >= 0)
		return false;
	return pattern->condition == CONDITION_AREA || !match->has_area;
}

static enum text text_of(const struct pattern *pattern)
{
	static const enum text texts[CONDITIONS] = {
		[CONDITION_FUNCTION] = TEXT_FUNCTION, [CONDITION_CLASS] = TEXT_CLASS, [CONDITION_PACKAGE] = TEXT_PACKAGE,
		[CONDITION_FILE] = TEXT_NAME, [CONDITION_FRAME_TYPE] = TEXT_TYPE, [CONDITION_SYSCALL] = TEXT_SYSCALL,
		[CONDITION_AREA] = TEXT_AREA,
	};

	return pattern->condition == CONDITION_FILE && strchr(pattern->text, '/') ? TEXT_PATH : texts[pattern->condition];
}

void categories_compile(struct categories *categories)
{
	for (size_t i = 0; i < categories->clause_count; i++) {
		struct clause *clause = &categories->clauses[i];

		clause->filters = clause->conditions;
		if (clause->part != PART_FRAME)
			continue;
		while (!(clause->conditions & (1U << clause->driver)))
			clause->driver++;
		clause->filters &= ~(1U << clause->driver);
	}
	for (unsigned int i = 0; i < TEXTS; i++)
		categories->automata[i] = automaton_create();
	for (size_t i = 0; i < categories->pattern_count; i++) {
		const struct pattern *pattern = &categories->patterns[i];

		automaton_add_pattern(categories->automata[text_of(pattern)], pattern->text,
				      rule_of(pattern->owner, pattern->condition, drives(categories, pattern)));
		categories->needs_syscalls |= pattern->condition == CONDITION_SYSCALL;
	}
	for (unsigned int i = 0; i < TEXTS; i++)
		automaton_compile(categories->automata[i]);
	categories->met = memory_zeroed(categories->match_count + 1, sizeof(*categories->met));
}

size_t categories_count(const struct categories *categories)
{
	return categories->count;
}

const struct category *categories_get(const struct categories *categories, size_t category)
{
	return &categories->list[category];
}

bool categories_need_syscalls(const struct categories *categories)
{
	return categories->needs_syscalls;
}

/* ---- what names meet ---- */

/* Types and system calls are interned for good or constant. */
static void forget_names(struct categories *categories)
{
	if (!intern_has_forgotten(&categories->names))
		return;
	hits_free(&categories->functions);
	hits_free(&categories->files);
	hits_free(&categories->areas);
}

static const struct hits *hits_of(struct categories *categories, struct map *map, enum text text, const char *name)
{
	struct rules_met met = { 0 };
	const struct hits *hits = name ? map_get(map, (uintptr_t)name) : &no_hits;

	if (hits)
		return hits;
	hits_match(&met, categories->automata[text], name);
	return hits_keep(map, name, &met);
}

/* A function is in one file, so mostly of one type: the type it is first seen with is good for all. */
static const struct hits *hits_of_function(struct categories *categories, const char *function, const char *type)
{
	const struct hits *hits = function ? map_get(&categories->functions, (uintptr_t)function) : &no_hits;
	struct rules_met met = { 0 };
	struct scope scope;

	if (hits)
		return hits;
	hits_match(&met, categories->automata[TEXT_FUNCTION], function);
	scope_of(&scope, function, type);
	if (*scope.package)
		hits_match(&met, categories->automata[TEXT_PACKAGE], scope.package);
	if (*scope.class)
		hits_match(&met, categories->automata[TEXT_CLASS], scope.class);
	return hits_keep(&categories->functions, function, &met);
}

static const struct hits *hits_of_file(struct categories *categories, const char *path)
{
	const struct hits *hits = path ? map_get(&categories->files, (uintptr_t)path) : &no_hits;
	struct rules_met met = { 0 };
	const struct object *object;

	if (hits)
		return hits;
	object = object_of(path);
	hits_match(&met, categories->automata[TEXT_PATH], path);
	hits_match(&met, categories->automata[TEXT_NAME], object->name);
	if (object->library)
		hits_match(&met, categories->automata[TEXT_NAME], object->library);
	return hits_keep(&categories->files, path, &met);
}

/* ---- what stacks meet ---- */

static const struct hits *hits_for(const struct frame_hits *frame, enum condition condition)
{
	switch (condition) {
	case CONDITION_FILE:
		return frame->file;
	case CONDITION_FRAME_TYPE:
		return frame->type;
	default:
		return frame->function;
	}
}

static bool passes_filters(const struct clause *clause, unsigned int number, const struct frame_hits *frame)
{
	for (unsigned int condition = 0; clause->filters >> condition; condition++) {
		if ((clause->filters & (1U << condition)) &&
		    !hits_have(hits_for(frame, condition), rule_of(number, condition, false)))
			return false;
	}
	return true;
}

/* The first frame from `from` on, before `to`, that meets the clause; `to`: none. */
static uint32_t find_frame(const struct categories *categories, unsigned int number, uint32_t from, uint32_t to)
{
	while (from < to && !passes_filters(&categories->clauses[number], number, &categories->frames[from]))
		from++;
	return from;
}

/* Does the i-th frame call what PART_CALLS is about? Frames are looked at once, however often this is asked. */
static bool has_callee(const struct categories *categories, struct match *match, uint32_t i)
{
	if (match->clauses[PART_CALLS] < 0 || match->not_called == NEVER)
		return true;
	match->not_called = find_frame(categories, (unsigned int)match->clauses[PART_CALLS], match->not_called, i);
	if (match->not_called == i)
		return false;
	match->not_called = NEVER;
	return true;
}

static bool has_caller(const struct categories *categories, const struct match *match, uint32_t count)
{
	return match->clauses[PART_CALLED_BY] < 0 ||
	       find_frame(categories, (unsigned int)match->clauses[PART_CALLED_BY], match->innermost + 1, count) < count;
}

static void frame_will_do(struct categories *categories, unsigned int number, uint32_t i)
{
	struct match *match = &categories->matches[number];

	if (match->stack != categories->stack) {
		match->stack = categories->stack;
		match->innermost = NEVER;
		match->not_called = 0;
	}
	if (match->innermost != NEVER || (match->at_leaf && i) || !has_callee(categories, match, i))
		return;
	match->innermost = i;
	categories->met[categories->met_count++] = number;
}

static void look_at_drivers(struct categories *categories, const struct hits *hits, uint32_t i)
{
	for (size_t j = 0; j < hits->odd_count; j++) {
		unsigned int number = owner_of(hits->rules[j]);
		const struct clause *clause = &categories->clauses[number];

		if (passes_filters(clause, number, &categories->frames[i]))
			frame_will_do(categories, clause->match, i);
	}
}

static void look_at_frame(struct categories *categories, const struct frame *frame, const char *type, uint32_t i)
{
	const struct frame_hits hits = {
		.function = hits_of_function(categories, frame->function, type),
		.file = hits_of_file(categories, frame->object),
		.type = hits_of(categories, &categories->types, TEXT_TYPE, type),
	};

	categories->frames[i] = hits;
	look_at_drivers(categories, hits.function, i);
	look_at_drivers(categories, hits.file, i);
	look_at_drivers(categories, hits.type, i);
}

static void report(const struct categories *categories, unsigned int number, bool is_leaf, categories_found *found, void *context)
{
	const struct match *match = &categories->matches[number];
	const struct category_match result = {
		.match = number, .category = match->category, .is_leaf = is_leaf, .needs_syscall = match->has_syscall,
	};

	found(context, &result);
}

void categories_match(struct categories *categories, const struct stack *stack, const struct origin *origins,
		      categories_found *found, void *context)
{
	uint32_t count = (uint32_t)stack->kernel_frames + stack->user_frames;
	const struct hits *area;

	forget_names(categories);
	area = hits_of(categories, &categories->areas, TEXT_AREA, stack->class.area);
	if (!++categories->stack) {		/* numbers have come around: none of the old ones may be taken for new */
		for (size_t i = 0; i < categories->match_count; i++)
			categories->matches[i].stack = 0;
		categories->stack = 1;
	}
	categories->met_count = 0;
	if (categories->frames_room < count) {
		categories->frames_room = count;
		categories->frames = memory_resized(categories->frames, count, sizeof(*categories->frames));
	}
	for (uint32_t i = 0; i < count; i++)
		look_at_frame(categories, &stack->frames[i], origins[i].runtime, i);
	for (size_t i = 0; i < categories->met_count; i++) {
		unsigned int number = categories->met[i];
		const struct match *match = &categories->matches[number];

		if ((!match->has_area || hits_have(area, rule_of(number, CONDITION_AREA, false))) &&
		    has_caller(categories, match, count))
			report(categories, number, match->innermost == 0, found, context);
	}
	for (size_t i = 0; i < area->odd_count; i++)
		report(categories, owner_of(area->rules[i]), true, found, context);
}

unsigned int categories_of_match(const struct categories *categories, unsigned int match)
{
	return categories->matches[match].category;
}

bool categories_match_syscall(struct categories *categories, unsigned int match, const char *syscall)
{
	const struct hits *hits = hits_of(categories, &categories->syscalls, TEXT_SYSCALL, syscall);

	return hits_have(hits, rule_of(match, CONDITION_SYSCALL, false));
}

void categories_match_syscalls_only(struct categories *categories, const char *syscall, categories_found *found, void *context)
{
	const struct hits *hits = hits_of(categories, &categories->syscalls, TEXT_SYSCALL, syscall);

	for (size_t i = 0; i < hits->odd_count; i++)
		report(categories, owner_of(hits->rules[i]), true, found, context);
}
