/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash map from 64-bit keys to pointers. Key 0 is an ordinary key. NULL is no value.
 * Iterating while inserting is not allowed, while removing it is. The order differs from run to run: sort what people
 * see. One thread only.
 */
#ifndef KTALLY_MAP_H
#define KTALLY_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/intern.h"

struct map {
	struct map_slot *slots;
	size_t capacity, used, deleted;
};

struct map_slot {
	uint64_t key;
	void *value;
};

void *map_get(const struct map *map, uint64_t key);
void *map_put(struct map *map, uint64_t key, void *value);	/* the value that was there before, or NULL */
void *map_remove(struct map *map, uint64_t key);		/* the value that was there, or NULL */
void map_trim(struct map *map);					/* gives back the room that is not needed any more */
void map_free(struct map *map);					/* the slots, not the values */
void map_free_values(struct map *map);				/* the slots, and free()s each value */
struct map_slot *map_next(const struct map *map, struct map_slot *previous);	/* first with NULL; NULL at the end */

/* All values, in the order of compare(), which is given the places of two, as by qsort(). To be freed. */
void *map_sorted(const struct map *map, int (*compare)(const void *a, const void *b));

uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed);
uint64_t hash_words(uint64_t a, uint64_t b);

/*
 * As hash_bytes(), but of another value in each process: where names that others choose are told apart by going from one key to the next,
 * whoever made all their hashes equal would have each looked up by way of all.
 */
uint64_t hash_names(const void *data, size_t bytes, uint64_t seed);

#endif
