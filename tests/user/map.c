// SPDX-License-Identifier: GPL-2.0-or-later
/* base/map.h: against a plain array of the same pairs, through growth, removal and reuse of removed slots. */
#include <stdint.h>
#include <string.h>

#include "base/map.h"
#include "check.h"

#define KEYS	5000

static char *shadow[KEYS];
static char pool[KEYS];

/* A multiplication spreads the keys; 0 and all ones are among them. */
static uint64_t key_of(unsigned int i)
{
	return i == 1 ? UINT64_MAX : (uint64_t)i * 0x1000003000005ULL;
}

static void check_all(const struct map *map, const char *when)
{
	size_t present = 0, seen = 0, wrong = 0;

	for (unsigned int i = 0; i < KEYS; i++) {
		present += !!shadow[i];
		wrong += map_get(map, key_of(i)) != shadow[i];
	}
	for (struct map_slot *slot = map_next(map, NULL); slot; slot = map_next(map, slot)) {
		size_t i = (size_t)((char *)slot->value - pool);

		seen++;
		wrong += i >= KEYS || slot->key != key_of((unsigned int)i) || slot->value != shadow[i];
	}
	check_number(wrong, 0, "every key has its value %s", when);
	check_number(seen, present, "iteration meets every pair once %s", when);
	check_number(map->used, present, "used counts the pairs %s", when);
}

static void against_array(void)
{
	struct map map = { 0 };
	unsigned int random = 1, wrong = 0;

	check(!map_get(&map, 7) && !map_remove(&map, 7) && !map_next(&map, NULL), "an empty map has nothing");
	for (unsigned int i = 0; i < KEYS; i++) {
		wrong += map_put(&map, key_of(i), &pool[i]) != NULL;
		shadow[i] = &pool[i];
	}
	check_number(wrong, 0, "nothing was there before");
	check_all(&map, "after inserting");
	check(map_put(&map, 0, &pool[0]) == &pool[0], "putting again returns what was there");
	check(map_put(&map, 0, NULL) == &pool[0] && !map_get(&map, 0), "putting NULL removes");
	shadow[0] = NULL;

	wrong = 0;
	for (unsigned int round = 0; round < 200000; round++) {
		unsigned int i;

		random = random * 1103515245 + 12345;
		i = (random >> 8) % KEYS;
		if (random & (1 << 30)) {
			wrong += map_put(&map, key_of(i), &pool[i]) != shadow[i];
			shadow[i] = &pool[i];
		} else {
			wrong += map_remove(&map, key_of(i)) != shadow[i];
			shadow[i] = NULL;
		}
	}
	check_number(wrong, 0, "put and remove return what was there");
	check_all(&map, "after 200000 random changes");
	check(map.capacity <= 4 * KEYS, "removed slots do not make it grow (%zu slots)", map.capacity);

	for (struct map_slot *slot = map_next(&map, NULL); slot; slot = map_next(&map, slot)) {
		shadow[(char *)slot->value - pool] = NULL;
		map_remove(&map, slot->key);
	}
	check_all(&map, "after removing all while iterating");
	map_free(&map);
	check(!map.slots && !map.capacity, "a freed map is empty again");
}

static int last_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

static void sorted(void)
{
	static const char *const words[] = { "b", "d", "a", "c" };
	struct map map = { 0 };
	char **values = map_sorted(&map, last_first);

	check(values, "an empty map has values that can be freed");
	free(values);
	for (unsigned int i = 0; i < 4; i++)
		map_put(&map, i, strdup(words[i]));
	free(map_remove(&map, 1));
	values = map_sorted(&map, last_first);
	check(!strcmp(values[0], "c") && !strcmp(values[1], "b") && !strcmp(values[2], "a"), "values in the order that was asked for");
	free(values);
	map_free_values(&map);
	check(!map.slots && !map.used, "freed with their map");
}

static void hashes(void)
{
	static const char text[] = "the quick brown fox";
	unsigned int buckets[256] = { 0 }, most = 0;
	uint64_t whole = hash_bytes(text, sizeof(text), 1);
	char copy[sizeof(text) + 1];

	memcpy(copy + 1, text, sizeof(text));
	check(hash_bytes(copy + 1, sizeof(text), 1) == whole, "the hash does not depend on alignment");
	check(hash_bytes(text, sizeof(text), 2) != whole, "the hash depends on the seed");
	check(hash_bytes(text, sizeof(text) - 1, 1) != whole, "the hash depends on a trailing zero");
	check(hash_bytes("", 0, 1) != hash_bytes("\0", 1, 1), "the hash of nothing is not that of a zero byte");
	check(hash_words(1, 2) != hash_words(2, 1), "the hash of words depends on their order");
	for (uint64_t i = 0; i < 65536; i++) {
		unsigned int *bucket = &buckets[hash_words(i << 12, 5) & 255];

		(*bucket)++;
		if (*bucket > most)
			most = *bucket;
	}
	check(most < 256 + 6 * 16, "page-aligned keys spread over the low bits (fullest of 256: %u of 65536)", most);
}

static void interning(void)
{
	char name[32], big[40000];
	const char *first[2000];
	unsigned int wrong = 0;

	check(!intern(NULL) && !intern_bytes(NULL, 3), "NULL gives NULL");
	check(intern("") == intern_bytes("abc", 0), "the empty string is one string");
	check(intern("abc") == intern_bytes("abcdef", 3), "equal strings give one pointer");
	check(intern_bytes("abc\0def", 7) == intern("abc"), "a string ends at its zero");
	check(intern("abc") != intern("abd"), "different strings do not");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	check(intern(big) == intern(big) && !strcmp(intern(big), big), "long strings too");
	for (unsigned int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "function_%u", i);
		first[i] = intern(name);
	}
	for (unsigned int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "function_%u", i);
		wrong += intern(name) != first[i] || strcmp(first[i], name);
	}
	check_number(wrong, 0, "2000 names stay where they are");
}

int main(void)
{
	against_array();
	sorted();
	hashes();
	interning();
	return check_end();
}
