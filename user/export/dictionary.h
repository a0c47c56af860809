/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dictionary of an OTLP profiles request: seven tables, of which everything else has the numbers. Entries refer to entries
 * that were added before them, by number, so two that say the same have the same bytes, and the bytes tell whether one is there
 * already: the tables have no duplicates. Number 0 of each table is there from the beginning and means that nothing is set.
 */
#ifndef KTALLY_DICTIONARY_H
#define KTALLY_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/map.h"
#include "profile/frame.h"

/* By their field numbers in the message ProfilesDictionary. */
enum dictionary_table {
	DICTIONARY_MAPPING = 1,
	DICTIONARY_LOCATION,
	DICTIONARY_FUNCTION,
	DICTIONARY_LINK,
	DICTIONARY_STRING,
	DICTIONARY_ATTRIBUTE,
	DICTIONARY_STACK,
	DICTIONARY_TABLES,
};

struct dictionary {
	struct buffer message;			/* ProfilesDictionary, with what was added so far */
	uint64_t seed;				/* of the hashes */
	struct map strings;			/* interned string -> its number, and one */
	struct map stacks;			/* struct stack -> its number, and one */
	struct map frames;			/* hash of what a location has of a frame -> struct known_frame */
	struct {
		struct map numbers;		/* hash of the bytes -> number of the entry, and one */
		struct dictionary_entry *entries;
		size_t count, room;
	} tables[DICTIONARY_TABLES];
};

void dictionary_init(struct dictionary *dictionary);
void dictionary_free(struct dictionary *dictionary);

/* The number of the string, made well-formed, and of the stack; they are added if they are not there. */
uint32_t dictionary_string(struct dictionary *dictionary, const char *string);
uint32_t dictionary_stack(struct dictionary *dictionary, const struct stack *stack);

/* Appends the number of an attribute to the packed numbers of a set of them. A text that is NULL or empty is no attribute, nor is a list of none. */
void dictionary_text(struct dictionary *dictionary, struct buffer *numbers, const char *key, const char *text);
void dictionary_texts(struct dictionary *dictionary, struct buffer *numbers, const char *key, const char *const *texts, size_t count);
void dictionary_integer(struct dictionary *dictionary, struct buffer *numbers, const char *key, uint64_t integer);

#endif
