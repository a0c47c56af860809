/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules names meet: found once for each name and kept under its address, so names must be interned. Odd rules are what
 * one goes by, even ones are only asked for.
 */
#ifndef KTALLY_HITS_H
#define KTALLY_HITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "classify/automaton.h"

/* Odd rules first, each sort in ascending order. */
struct hits {
	size_t odd_count, even_count;
	uint32_t rules[];
};

extern const struct hits no_hits;

/* Rules on their way into hits. */
struct rules_met {
	uint32_t *rules;
	size_t count;
};

void hits_match(struct rules_met *met, const struct automaton *automaton, const char *text);	/* adds what the text meets */
const struct hits *hits_keep(struct map *map, const char *name, struct rules_met *met);
void hits_free(struct map *map);

bool hits_have(const struct hits *hits, uint32_t even_rule);

#endif
