/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of many patterns does a text match? One walk over the text finds all of them: one table look-up for each
 * character, whatever the number of patterns. They are compiled once, into the automaton of Aho and Corasick.
 *
 * Patterns are written as in a shell:
 *
 *	tcp_read*	texts that begin so
 *	*futex*		texts that contain it
 *	*_slowpath	texts that end so
 *	schedule	this text; what compilers append to names of clones (schedule.isra.0) does not matter
 */
#ifndef KTALLY_AUTOMATON_H
#define KTALLY_AUTOMATON_H

struct automaton;

struct automaton *automaton_create(void);
void automaton_destroy(struct automaton *automaton);

/* Adds patterns, separated by white space; any of them stands for the rule. No more once it is compiled. */
void automaton_add(struct automaton *automaton, const char *patterns, unsigned int rule);
void automaton_add_pattern(struct automaton *automaton, const char *pattern, unsigned int rule);	/* one, blanks and all; no control characters */
void automaton_compile(struct automaton *automaton);

/* Calls found() for each pattern that the text matches, in no particular order. */
typedef void automaton_found(void *context, unsigned int rule);
void automaton_match(const struct automaton *automaton, const char *text, automaton_found *found, void *context);

#endif
