// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open addressing with linear probing. A removed slot keeps its place (as a grave) until the next growth, so removing
 * does not disturb an iteration. Keys come from files too, and whoever wrote the file may want them all to collide: so
 * the place of a key depends on a secret of this process.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/map.h"
#include "base/message.h"

static char grave;	/* its address is the value of a removed slot */

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Odd constants with no structure: the fractions of the square roots of 2 (its last bit set), 3, 5 and 7. */
#define ROOT2	0x6a09e667f3bcc909ULL
#define ROOT3	0xbb67ae8584caa73bULL
#define ROOT5	0x3c6ef372fe94f82bULL
#define ROOT7	0xa54ff53a5f1d36f1ULL

uint64_t hash_words(uint64_t a, uint64_t b)
{
	return fold(fold(a ^ ROOT2, b ^ ROOT3) ^ a, b ^ ROOT5 ^ (a << 32 | a >> 32));
}

uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed)
{
	const unsigned char *from = data;
	uint64_t hash = seed ^ ROOT7;
	uint64_t word;
	size_t left;

	for (left = bytes; left >= sizeof(word); left -= sizeof(word), from += sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		hash = fold(hash ^ word, ROOT3) + ROOT2;
	}
	word = 0;
	if (left)
		memcpy(&word, from, left);
	return hash_words(hash ^ word, bytes ^ seed);
}

/* The kernel gives every process 16 random bytes. */
static uint64_t secret(void)
{
	static uint64_t value;

	if (!value) {
		const void *random = (const void *)getauxval(AT_RANDOM);

		if (random)
			memcpy(&value, random, sizeof(value));
		value |= 1;
	}
	return value;
}

uint64_t hash_names(const void *data, size_t bytes, uint64_t seed)
{
	return hash_bytes(data, bytes, seed ^ secret());
}

/* The slot of the key, or the one where it would go: the first grave on the way, else the empty one. */
static struct map_slot *find(const struct map *map, uint64_t key)
{
	struct map_slot *free_slot = NULL;
	size_t place = hash_words(key, secret());

	for (;; place++) {
		struct map_slot *slot = &map->slots[place & (map->capacity - 1)];

		if (!slot->value)
			return free_slot ? free_slot : slot;
		if (slot->value == &grave) {
			if (!free_slot)
				free_slot = slot;
		} else if (slot->key == key) {
			return slot;
		}
	}
}

static bool is_taken(const struct map_slot *slot)
{
	return slot->value && slot->value != &grave;
}

static void rebuild(struct map *map)
{
	struct map bigger = { .capacity = 16, .used = map->used };

	while (bigger.capacity / 2 < map->used + 1)
		bigger.capacity *= 2;
	bigger.slots = memory_zeroed(bigger.capacity, sizeof(*bigger.slots));
	for (size_t i = 0; i < map->capacity; i++) {
		if (is_taken(&map->slots[i]))
			*find(&bigger, map->slots[i].key) = map->slots[i];
	}
	free(map->slots);
	*map = bigger;
}

/* Not by find(), which also looks for where a key would go: two of these are a quarter of what a sample costs. */
void *map_get(const struct map *map, uint64_t key)
{
	if (!map->capacity)
		return NULL;
	for (size_t place = hash_words(key, secret());; place++) {
		const struct map_slot *slot = &map->slots[place & (map->capacity - 1)];

		if (!slot->value)
			return NULL;
		if (slot->key == key && slot->value != &grave)
			return slot->value;
	}
}

void *map_put(struct map *map, uint64_t key, void *value)
{
	struct map_slot *slot;
	void *before = NULL;

	if (!value)
		return map_remove(map, key);
	if (map->used + map->deleted + 1 > map->capacity / 4 * 3)
		rebuild(map);
	slot = find(map, key);
	if (is_taken(slot)) {
		before = slot->value;
	} else {
		map->deleted -= slot->value == &grave;
		map->used++;
	}
	*slot = (struct map_slot){ .key = key, .value = value };
	return before;
}

void *map_remove(struct map *map, uint64_t key)
{
	struct map_slot *slot;
	void *before;

	if (!map->capacity)
		return NULL;
	slot = find(map, key);
	if (!is_taken(slot))
		return NULL;
	before = slot->value;
	slot->value = &grave;
	map->used--;
	map->deleted++;
	return before;
}

void map_trim(struct map *map)
{
	if (map->capacity > 16 && map->used < map->capacity / 8)
		rebuild(map);
}

void map_free(struct map *map)
{
	free(map->slots);
	*map = (struct map){ 0 };
}

void map_free_values(struct map *map)
{
	for (struct map_slot *slot = map_next(map, NULL); slot; slot = map_next(map, slot))
		free(slot->value);
	map_free(map);
}

struct map_slot *map_next(const struct map *map, struct map_slot *previous)
{
	size_t i = previous ? (size_t)(previous - map->slots) + 1 : 0;

	for (; i < map->capacity; i++) {
		if (is_taken(&map->slots[i]))
			return &map->slots[i];
	}
	return NULL;
}

void *map_sorted(const struct map *map, int (*compare)(const void *a, const void *b))
{
	void **values = memory_zeroed(map->used + 1, sizeof(*values));
	size_t count = 0;

	for (struct map_slot *slot = map_next(map, NULL); slot; slot = map_next(map, slot))
		values[count++] = slot->value;
	qsort(values, count, sizeof(*values), compare);
	return values;
}
