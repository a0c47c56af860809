// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A state is a string that some pattern begins with. The table says for every state and character which state is the
 * longest one that the text now ends with. The beginning of the text counts as a character of its own, START, so that
 * patterns for beginnings are strings like any other. Characters are numbered by the patterns that use them; all others
 * are OTHER and lead back to the empty string, state ROOT.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "classify/automaton.h"

#define ROOT		0
#define STATES_MOST	UINT16_MAX

enum { OTHER, START, FIRST_CHARACTER };

/* Rules of a state, linked through their indices; 0 ends the list. */
struct link {
	unsigned int rule;
	unsigned int next;
};

struct state {
	uint16_t child, sibling;	/* the tree of strings, while patterns are added */
	unsigned char character;	/* numbered, from the parent to here */
	uint16_t suffix;		/* longest proper suffix that is a state */
	uint16_t shorter;		/* longest proper suffix that has rules; ROOT: none */
	unsigned int here;		/* rules of patterns that end here */
	unsigned int whole;		/* rules of patterns that end here if the text does too */
};

struct automaton {
	struct state *states;
	size_t state_count;
	struct link *links;		/* the first one is not used */
	size_t link_count;
	unsigned char numbers[256];	/* of characters */
	unsigned int characters;	/* how many numbers there are */
	uint16_t *table;		/* [state][character number] */
};

struct automaton *automaton_create(void)
{
	struct automaton *automaton = memory_zeroed(1, sizeof(*automaton));

	automaton->states = memory_zeroed(1, sizeof(*automaton->states));
	automaton->state_count = 1;
	automaton->links = memory_zeroed(1, sizeof(*automaton->links));
	automaton->link_count = 1;
	automaton->characters = FIRST_CHARACTER;
	return automaton;
}

void automaton_destroy(struct automaton *automaton)
{
	if (!automaton)
		return;
	free(automaton->states);
	free(automaton->links);
	free(automaton->table);
	free(automaton);
}

static uint16_t child_of(const struct automaton *automaton, uint16_t parent, unsigned char character)
{
	uint16_t child = automaton->states[parent].child;

	while (child && automaton->states[child].character != character)
		child = automaton->states[child].sibling;
	return child;
}

static uint16_t make_child(struct automaton *automaton, uint16_t parent, unsigned char character)
{
	uint16_t child = child_of(automaton, parent, character);

	if (child)
		return child;
	if (automaton->state_count == STATES_MOST)
		message_fatal(EXIT_USAGE, "the rules have more than %u characters in all: use fewer or shorter ones",
			      STATES_MOST);
	child = (uint16_t)automaton->state_count++;
	automaton->states = memory_resized(automaton->states, automaton->state_count, sizeof(*automaton->states));
	automaton->states[child] = (struct state){ .character = character, .sibling = automaton->states[parent].child };
	automaton->states[parent].child = child;
	return child;
}

static unsigned int add_link(struct automaton *automaton, unsigned int rule, unsigned int next)
{
	automaton->links = memory_resized(automaton->links, automaton->link_count + 1, sizeof(*automaton->links));
	automaton->links[automaton->link_count] = (struct link){ .rule = rule, .next = next };
	return (unsigned int)automaton->link_count++;
}

/* A pattern has no control characters in it, so there are always numbers enough. */
static unsigned char number_of(struct automaton *automaton, unsigned char character)
{
	if (!automaton->numbers[character])
		automaton->numbers[character] = (unsigned char)automaton->characters++;
	return automaton->numbers[character];
}

static void add_bytes(struct automaton *automaton, const char *pattern, size_t bytes, unsigned int rule)
{
	bool anywhere = bytes && *pattern == '*';
	bool open_ended = bytes > anywhere && pattern[bytes - 1] == '*';
	uint16_t state = ROOT;

	if (!anywhere)
		state = make_child(automaton, state, START);
	for (size_t i = anywhere; i < bytes - open_ended; i++)
		state = make_child(automaton, state, number_of(automaton, (unsigned char)pattern[i]));
	if (open_ended)
		automaton->states[state].here = add_link(automaton, rule, automaton->states[state].here);
	else
		automaton->states[state].whole = add_link(automaton, rule, automaton->states[state].whole);
}

void automaton_add(struct automaton *automaton, const char *patterns, unsigned int rule)
{
	static const char spaces[] = " \t\n";

	for (;;) {
		size_t bytes;

		patterns += strspn(patterns, spaces);
		bytes = strcspn(patterns, spaces);
		if (!bytes)
			return;
		add_bytes(automaton, patterns, bytes, rule);
		patterns += bytes;
	}
}

void automaton_add_pattern(struct automaton *automaton, const char *pattern, unsigned int rule)
{
	add_bytes(automaton, pattern, strlen(pattern), rule);
}

static uint16_t *row_of(const struct automaton *automaton, uint16_t state)
{
	return automaton->table + (size_t)state * automaton->characters;
}

/* The longest string with rules that this one ends with, itself included; ROOT: none. */
static uint16_t longest_match(const struct automaton *automaton, uint16_t state)
{
	return automaton->states[state].here ? state : automaton->states[state].shorter;
}

/* The row of a state is that of its suffix, but for its own children. */
static void fill_row(struct automaton *automaton, uint16_t state)
{
	uint16_t *row = row_of(automaton, state);

	if (state != ROOT)
		memcpy(row, row_of(automaton, automaton->states[state].suffix), automaton->characters * sizeof(*row));
	for (uint16_t child = automaton->states[state].child; child; child = automaton->states[child].sibling)
		row[automaton->states[child].character] = child;
}

/* Shorter strings first: the suffix of a string is shorter than it. */
void automaton_compile(struct automaton *automaton)
{
	uint16_t *order = memory_zeroed(automaton->state_count, sizeof(*order));
	size_t end = 1;

	automaton->table = memory_zeroed(automaton->state_count * automaton->characters, sizeof(*automaton->table));
	for (size_t i = 0; i < end; i++) {
		uint16_t state = order[i];
		const uint16_t *suffix_row = row_of(automaton, automaton->states[state].suffix);

		for (uint16_t child = automaton->states[state].child; child; child = automaton->states[child].sibling) {
			struct state *of = &automaton->states[child];

			of->suffix = state == ROOT ? ROOT : suffix_row[of->character];
			of->shorter = longest_match(automaton, of->suffix);
			order[end++] = child;
		}
		fill_row(automaton, state);
	}
	free(order);
}

static void report(const struct automaton *automaton, unsigned int link, automaton_found *found, void *context)
{
	for (; link; link = automaton->links[link].next)
		found(context, automaton->links[link].rule);
}

/* What compilers append, with a dot before each word: "isra.0", "part.3.constprop.1", "cold", "llvm.12345", "42". */
static bool is_clone_suffix(const char *suffix)
{
	static const char *const words[] = {
		"isra", "part", "constprop", "cold", "llvm", "lto_priv", "localalias", "clone", "warm", "hot", "resolver",
	};
	size_t bytes = strcspn(suffix, ".");

	if (bytes && strspn(suffix, "0123456789") == bytes)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (bytes == strlen(words[i]) && !memcmp(suffix, words[i], bytes))
			return true;
	}
	return false;
}

/* Where the text ends, or a compiler's ending begins. */
static void report_whole(const struct automaton *automaton, uint16_t state, automaton_found *found, void *context)
{
	for (; state != ROOT; state = automaton->states[state].suffix)
		report(automaton, automaton->states[state].whole, found, context);
}

void automaton_match(const struct automaton *automaton, const char *text, automaton_found *found, void *context)
{
	const struct state *states = automaton->states;
	uint16_t state = automaton->table[START];

	report(automaton, states[state].here, found, context);
	for (const char *c = text;; c++) {
		if (!*c || (*c == '.' && is_clone_suffix(c + 1)))
			report_whole(automaton, state, found, context);
		if (!*c)
			return;
		state = row_of(automaton, state)[automaton->numbers[(unsigned char)*c]];
		for (uint16_t match = longest_match(automaton, state); match != ROOT; match = states[match].shorter)
			report(automaton, states[match].here, found, context);
	}
}
