// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table by open addressing, made anew whenever names go: so there are no graves in it, and it shrinks again. Each name is a block of its
 * own, as any of them may go.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/map.h"
#include "base/message.h"

struct name {
	uint64_t hash : 62;
	uint64_t for_good : 1, kept : 1;
	char *string;		/* NULL: free */
};

static struct {
	struct name *slots;
	size_t capacity, used;
	size_t bytes;		/* of the strings */
	size_t passing;
	uint64_t forgotten;	/* how often names went */
} names;

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

static uint64_t hash_of(const char *string, size_t bytes)
{
	return hash_bytes(string, bytes, seed()) >> 2;
}

static struct name *find(uint64_t hash, const char *string, size_t bytes)
{
	for (size_t place = hash;; place++) {
		struct name *slot = &names.slots[place & (names.capacity - 1)];

		if (!slot->string)
			return slot;
		if (slot->hash == hash && !strncmp(slot->string, string, bytes) && !slot->string[bytes])
			return slot;
	}
}

/* The slots that stay, in a table that is right for them. */
static void rebuild(size_t wanted)
{
	struct name *before = names.slots;
	size_t capacity_before = names.capacity;

	names.capacity = 1024;
	while (wanted > names.capacity / 4 * 3)
		names.capacity *= 2;
	names.slots = memory_zeroed(names.capacity, sizeof(*names.slots));
	for (size_t i = 0; i < capacity_before; i++) {
		size_t place = before[i].hash;

		if (!before[i].string)
			continue;
		while (names.slots[place & (names.capacity - 1)].string)
			place++;
		names.slots[place & (names.capacity - 1)] = before[i];
	}
	free(before);
}

static struct name *get(const char *string, size_t bytes, bool for_good)
{
	struct name *slot;
	uint64_t hash;

	bytes = strnlen(string, bytes);
	if (names.used + 1 > names.capacity / 4 * 3)
		rebuild(2 * names.used + 1);
	hash = hash_of(string, bytes);
	slot = find(hash, string, bytes);
	if (!slot->string) {
		*slot = (struct name){ .hash = hash, .string = memory_zeroed(bytes + 1, 1) };
		memcpy(slot->string, string, bytes);
		names.used++;
		names.passing++;
		names.bytes += bytes + 1;
	}
	if (for_good && !slot->for_good) {
		slot->for_good = true;
		names.passing--;
	}
	return slot;
}

const char *intern_bytes(const char *string, size_t bytes)
{
	return string ? get(string, bytes, true)->string : NULL;
}

const char *intern(const char *string)
{
	return string ? intern_bytes(string, strlen(string)) : NULL;
}

const char *intern_passing(const char *string, size_t bytes)
{
	return string ? get(string, bytes, false)->string : NULL;
}

/* NULL: it is not interned. */
static struct name *name_of(const char *string)
{
	size_t bytes = string ? strlen(string) : 0;
	struct name *slot = string && names.capacity ? find(hash_of(string, bytes), string, bytes) : NULL;

	return slot && slot->string == string ? slot : NULL;
}

void intern_keep(const char *name)
{
	struct name *slot = name_of(name);

	if (slot)
		slot->kept = true;
}

bool intern_is_kept(const char *name)
{
	const struct name *slot = name_of(name);

	return slot && slot->kept;
}

void intern_forget(void)
{
	size_t used = names.used;

	for (size_t i = 0; i < names.capacity; i++) {
		struct name *name = &names.slots[i];

		if (name->string && !name->kept && !name->for_good) {
			names.bytes -= strlen(name->string) + 1;
			free(name->string);
			name->string = NULL;
			names.passing--;
			names.used--;
		}
		name->kept = false;
	}
	if (names.used == used)
		return;
	rebuild(names.used);
	names.forgotten++;
}

bool intern_has_forgotten(uint64_t *counter)
{
	bool has = *counter != names.forgotten;

	*counter = names.forgotten;
	return has;
}

void intern_get_statistics(struct intern_statistics *statistics)
{
	*statistics = (struct intern_statistics){
		.names = names.used, .passing = names.passing, .bytes = names.bytes + names.capacity * sizeof(*names.slots),
	};
}
