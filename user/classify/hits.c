// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "classify/hits.h"

const struct hits no_hits;

static void take_rule(void *context, unsigned int rule)
{
	struct rules_met *met = context;

	if ((met->count & (met->count - 1)) == 0)
		met->rules = memory_resized(met->rules, met->count ? met->count * 2 : 1, sizeof(*met->rules));
	met->rules[met->count++] = rule;
}

void hits_match(struct rules_met *met, const struct automaton *automaton, const char *text)
{
	automaton_match(automaton, text, take_rule, met);
}

static int compare_rules(const void *a_place, const void *b_place)
{
	uint32_t a = *(const uint32_t *)a_place, b = *(const uint32_t *)b_place;

	if ((a & 1) != (b & 1))
		return a & 1 ? -1 : 1;
	return a < b ? -1 : a > b;
}

static struct hits *make(const struct rules_met *met)
{
	struct hits *hits = memory_zeroed(1, sizeof(*hits) + met->count * sizeof(hits->rules[0]));

	qsort(met->rules, met->count, sizeof(*met->rules), compare_rules);
	for (size_t i = 0; i < met->count; i++) {
		if (i && met->rules[i] == met->rules[i - 1])
			continue;
		hits->rules[hits->odd_count + hits->even_count] = met->rules[i];
		if (met->rules[i] & 1)
			hits->odd_count++;
		else
			hits->even_count++;
	}
	return hits;
}

const struct hits *hits_keep(struct map *map, const char *name, struct rules_met *met)
{
	const struct hits *hits = met->count ? make(met) : &no_hits;

	free(met->rules);
	map_put(map, (uintptr_t)name, (void *)hits);
	return hits;
}

void hits_free(struct map *map)
{
	for (struct map_slot *slot = map_next(map, NULL); slot; slot = map_next(map, slot)) {
		if (slot->value != &no_hits)
			free(slot->value);
	}
	map_free(map);
}

bool hits_have(const struct hits *hits, uint32_t rule)
{
	const uint32_t *rules = hits->rules + hits->odd_count;
	size_t least = 0, end = hits->even_count;

	while (least < end) {
		size_t middle = (least + end) / 2;

		if (rules[middle] == rule)
			return true;
		if (rules[middle] < rule)
			least = middle + 1;
		else
			end = middle;
	}
	return false;
}
