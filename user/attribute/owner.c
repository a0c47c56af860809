// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/owner.h"
#include "base/map.h"
#include "base/message.h"
#include "symbols/printable.h"

#define OWNERS_DEFAULT	1000

/* The coarsest level that has it, and whether it may be taken from the environment of a process. */
static const struct {
	const char *name;
	enum owner_level level;
	bool declared;
} keys[OWNER_KEYS] = {
	[OWNER_SERVICE] = { "service.name", OWNER_BY_SERVICE, true },
	[OWNER_SERVICE_NAMESPACE] = { "service.namespace", OWNER_BY_SERVICE, true },
	[OWNER_SERVICE_VERSION] = { "service.version", OWNER_BY_SERVICE, true },
	[OWNER_DEPLOYMENT] = { "deployment.environment.name", OWNER_BY_SERVICE, true },
	[OWNER_UNIT] = { "systemd.unit.name", OWNER_BY_SERVICE, false },
	[OWNER_NAMESPACE] = { "k8s.namespace.name", OWNER_BY_SERVICE, true },
	[OWNER_POD_NAME] = { "k8s.pod.name", OWNER_BY_CONTAINER, true },
	[OWNER_POD] = { "k8s.pod.uid", OWNER_BY_CONTAINER, false },
	[OWNER_CONTAINER_NAME] = { "k8s.container.name", OWNER_BY_CONTAINER, true },
	[OWNER_CONTAINER] = { "container.id", OWNER_BY_CONTAINER, false },
	[OWNER_PROCESS] = { "process.executable.name", OWNER_BY_PROCESS, false },
};

static const char *const level_names[OWNER_LEVELS] = {
	[OWNER_BY_PROCESS] = "process",
	[OWNER_BY_CONTAINER] = "container",
	[OWNER_BY_SERVICE] = "service",
	[OWNER_BY_HOST] = "host",
};

const char *owner_key_name(enum owner_key key)
{
	return keys[key].name;
}

bool owner_key_is_declared(enum owner_key key)
{
	return keys[key].declared;
}

enum owner_key owner_key_of(const char *name, size_t bytes)
{
	enum owner_key key = 0;

	while (key < OWNER_KEYS && (strlen(keys[key].name) != bytes || memcmp(keys[key].name, name, bytes)))
		key++;
	return key;
}

int owner_level_of(const char *name, enum owner_level *level)
{
	for (enum owner_level i = 0; i < OWNER_LEVELS; i++) {
		if (!strcmp(level_names[i], name)) {
			*level = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* No value goes before any. */
static int compare_values(const char *a, const char *b)
{
	if (a == b)
		return 0;
	return a && b ? strcmp(a, b) : a ? 1 : -1;
}

int owner_compare(const struct owner *a, const struct owner *b)
{
	int order = 0;

	for (int key = OWNER_KEYS - 1; a != b && !order && key >= 0; key--)
		order = compare_values(a->values[key], b->values[key]);
	return order;
}

bool owner_is_empty(const struct owner *owner)
{
	enum owner_key key = 0;

	while (key < OWNER_KEYS && !owner->values[key])
		key++;
	return key == OWNER_KEYS;
}

void owner_add(struct owner *owner, const struct owner *more)
{
	for (enum owner_key key = 0; more && key < OWNER_KEYS; key++) {
		if (!owner->values[key])
			owner->values[key] = more->values[key];
	}
}

void owner_write(const struct owner *owner, struct buffer *lines)
{
	for (enum owner_key key = 0; key < OWNER_KEYS; key++) {
		if (owner->values[key])
			buffer_format(lines, "%s=%s\n", keys[key].name, owner->values[key]);
	}
}

void owner_read(const char *lines, size_t bytes, struct owner_draft *draft)
{
	const char *end = lines + bytes, *next;

	for (; lines < end; lines = next) {
		const char *newline = memchr(lines, '\n', (size_t)(end - lines)), *equals;
		size_t length = (size_t)((newline ? newline : end) - lines);
		enum owner_key key;

		next = newline ? newline + 1 : end;
		equals = memchr(lines, '=', length);
		key = equals ? owner_key_of(lines, (size_t)(equals - lines)) : OWNER_KEYS;
		if (key < OWNER_KEYS)
			owner_draft_set(draft, key, equals + 1, length - (size_t)(equals + 1 - lines));
	}
}

static size_t text_bytes(const struct owner *owner)
{
	size_t bytes = 0;

	for (enum owner_key key = 0; key < OWNER_KEYS; key++)
		bytes += owner->values[key] ? strlen(owner->values[key]) + 1 : 0;
	return bytes;
}

/* The strings go to `text`. */
static void copy(struct owner *to, const struct owner *from, char *text)
{
	for (enum owner_key key = 0; key < OWNER_KEYS; key++) {
		to->values[key] = from->values[key] ? text : NULL;
		if (from->values[key])
			text = stpcpy(text, from->values[key]) + 1;
	}
}

struct owner *owner_copy(const struct owner *owner)
{
	struct owner *result = memory_zeroed(1, sizeof(*result) + text_bytes(owner));

	copy(result, owner, (char *)(result + 1));
	return result;
}

const char *owner_label(const struct owner *owner)
{
	return owner->values[OWNER_PROCESS] ? owner->values[OWNER_PROCESS] :
	       owner->values[OWNER_SERVICE] ? owner->values[OWNER_SERVICE] : "all";
}

void owner_draft_set(struct owner_draft *draft, enum owner_key key, const char *value, size_t bytes)
{
	char *text = draft->text[key];

	bytes = strnlen(value, bytes < OWNER_VALUE_BYTES - 1 ? bytes : OWNER_VALUE_BYTES - 1);
	memmove(text, value, bytes);
	text[bytes] = '\0';
	printable(text, bytes);
	draft->owner.values[key] = bytes ? text : NULL;
}

/* ---- the owners of a profile ---- */

struct entry {
	struct owner owner;		/* first: what others see */
	bool kept;
	char text[];
};

struct owners {
	enum owner_level level;
	struct pool pool;		/* in owners */
	struct map entries;		/* hash -> struct entry */
	const struct owner *other, *unknown;
};

static struct owner rolled_up(const struct owners *owners, const struct owner *attributes)
{
	struct owner owner = { .user = attributes->user };

	for (enum owner_key key = 0; key < OWNER_KEYS; key++) {
		if (keys[key].level >= owners->level)
			owner.values[key] = attributes->values[key];
	}
	return owner;
}

static uint64_t hash_of(const struct owner *owner)
{
	uint64_t hash = 0;

	for (enum owner_key key = 0; key < OWNER_KEYS; key++) {
		if (owner->values[key])
			hash = hash_names(owner->values[key], strlen(owner->values[key]), hash + key);
	}
	return hash;
}

/* Two whose hashes are equal by chance get neighbouring places. NULL: it is not there, and *place is free. */
static struct entry *find(const struct owners *owners, const struct owner *owner, uint64_t *place)
{
	struct entry *entry;

	*place = hash_of(owner);
	while ((entry = map_get(&owners->entries, *place)) && owner_compare(&entry->owner, owner))
		(*place)++;
	return entry;
}

const struct owner *owners_get(struct owners *owners, const struct owner *attributes)
{
	struct owner owner = rolled_up(owners, attributes);
	uint64_t place;
	struct entry *entry = find(owners, &owner, &place);

	if (entry)
		return &entry->owner;
	if (!pool_take(&owners->pool, &(struct pool_holder){ .user = owner.user }, 1))
		return owners->other;
	entry = memory_zeroed(1, sizeof(*entry) + text_bytes(&owner));
	copy(&entry->owner, &owner, entry->text);
	entry->owner.user = owner.user;
	map_put(&owners->entries, place, entry);
	return &entry->owner;
}

struct owners *owners_create(enum owner_level level, size_t most)
{
	static const struct owner other = { .values = { [OWNER_SERVICE] = "other", [OWNER_PROCESS] = "other" } };
	static const struct owner unknown = { .values = { [OWNER_SERVICE] = "unknown", [OWNER_PROCESS] = "unknown" } };
	struct owners *owners = memory_zeroed(1, sizeof(*owners));

	owners->level = level;
	owners->pool = (struct pool){ .most = (most ? most : OWNERS_DEFAULT) + 2, .undivided = true };
	owners->other = owners_get(owners, &other);
	owners->unknown = owners_get(owners, &unknown);
	return owners;
}

void owners_destroy(struct owners *owners)
{
	if (!owners)
		return;
	map_free_values(&owners->entries);
	pool_free(&owners->pool);
	free(owners);
}

void owners_divide(struct owners *owners)
{
	owners->pool.undivided = false;
}

const struct owner *owners_other(const struct owners *owners)
{
	return owners->other;
}

const struct owner *owners_unknown(const struct owners *owners)
{
	return owners->unknown;
}

size_t owners_count(const struct owners *owners)
{
	return owners->entries.used;
}

void owners_keep(const struct owner *owner)
{
	((struct entry *)(uintptr_t)owner)->kept = true;
}

/* Into a new map, as a hole in the old one would hide a neighbour. */
void owners_forget(struct owners *owners)
{
	struct map entries = { 0 };

	owners_keep(owners->other);
	owners_keep(owners->unknown);
	for (struct map_slot *slot = map_next(&owners->entries, NULL); slot; slot = map_next(&owners->entries, slot)) {
		struct entry *entry = slot->value;
		uint64_t place = hash_of(&entry->owner);

		if (!entry->kept) {
			pool_give(&owners->pool, &(struct pool_holder){ .user = entry->owner.user }, 1);
			free(entry);
			continue;
		}
		entry->kept = false;
		while (map_get(&entries, place))
			place++;
		map_put(&entries, place, entry);
	}
	map_free(&owners->entries);
	owners->entries = entries;
}
