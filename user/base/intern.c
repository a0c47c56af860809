// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strings are packed into large blocks that are never freed: a name costs its length and a slot, and no search finds
 * two.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/map.h"
#include "base/message.h"

#define BLOCK_BYTES	65536

struct name {
	uint64_t hash;
	const char *string;	/* NULL: free */
};

static struct {
	struct name *slots;
	size_t capacity, used;
	char *block;
	size_t block_left;
} names;

static const char *keep(const char *string, size_t bytes)
{
	char *copy;

	if (bytes + 1 > BLOCK_BYTES / 4) {
		copy = memory_zeroed(bytes + 1, 1);
	} else {
		if (bytes + 1 > names.block_left) {
			names.block = memory_zeroed(1, BLOCK_BYTES);
			names.block_left = BLOCK_BYTES;
		}
		copy = names.block;
		names.block += bytes + 1;
		names.block_left -= bytes + 1;
	}
	memcpy(copy, string, bytes);
	return copy;
}

static struct name *find(struct name *slots, size_t capacity, uint64_t hash, const char *string, size_t bytes)
{
	for (size_t place = hash;; place++) {
		struct name *slot = &slots[place & (capacity - 1)];

		if (!slot->string)
			return slot;
		if (slot->hash == hash && !strncmp(slot->string, string, bytes) && !slot->string[bytes])
			return slot;
	}
}

static void grow(void)
{
	size_t capacity = names.capacity ? names.capacity * 2 : 1024;
	struct name *slots = memory_zeroed(capacity, sizeof(*slots));

	for (size_t i = 0; i < names.capacity; i++) {
		const struct name *name = &names.slots[i];

		if (name->string)
			*find(slots, capacity, name->hash, name->string, strlen(name->string)) = *name;
	}
	free(names.slots);
	names.slots = slots;
	names.capacity = capacity;
}

/* Function names come from files that anybody wrote: a secret of the process keeps them from being made to collide. */
static uint64_t seed(void)
{
	static uint64_t value;

	if (!value) {
		const char *random = (const char *)getauxval(AT_RANDOM);

		if (random)
			memcpy(&value, random + sizeof(value), sizeof(value));
		value |= 1;
	}
	return value;
}

const char *intern_bytes(const char *string, size_t bytes)
{
	struct name *slot;
	uint64_t hash;

	if (!string)
		return NULL;
	bytes = strnlen(string, bytes);
	if (names.used + 1 > names.capacity / 4 * 3)
		grow();
	hash = hash_bytes(string, bytes, seed());
	slot = find(names.slots, names.capacity, hash, string, bytes);
	if (!slot->string) {
		*slot = (struct name){ .hash = hash, .string = keep(string, bytes) };
		names.used++;
	}
	return slot->string;
}

const char *intern(const char *string)
{
	return string ? intern_bytes(string, strlen(string)) : NULL;
}
