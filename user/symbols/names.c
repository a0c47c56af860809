// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/demangle.h"
#include "symbols/names.h"
#include "symbols/printable.h"

#define SHOWN_BYTES_MOST	2048		/* templates of templates go on for pages */
#define FOLDED			" [folded]"
#define ENTRY_BYTES		128		/* of a name, its entry and its places in maps, which double, so that half may be empty */

/*
 * Of a path the classification makes a library, an area and its name, none longer than it is; an area makes rows, and an executable an
 * owner. All of these are bounded for all users together (topics.c, series.h, owner.h): who may have half of the ceiling in files at
 * this price has about half of those areas at most.
 */
#define OBJECT_COPIES		3
#define OBJECT_BYTES		2048

#define MANY_SHARE		4

struct shown {
	const char *name;
	struct pool_holder holder;
	uint32_t bytes;			/* that it takes of the holder's share */
	bool recent;			/* asked for since the last names_forget() */
};

/* The keys of functions and of objects differ, so that a file called like a mangled name stays as it is. */
static uint64_t key_of(const struct names *names, const char *raw, size_t bytes, uint64_t sort)
{
	return hash_bytes(raw, bytes, (uint64_t)(uintptr_t)names ^ sort);
}

static const char *find(const struct names *names, uint64_t key)
{
	struct shown *shown = map_get(&names->shown, key);

	if (!shown)
		return NULL;
	shown->recent = true;
	return shown->name;
}

static const char *add(struct names *names, uint64_t key, const char *text, size_t bytes, size_t cost)
{
	struct shown *shown;

	if (!pool_take(&names->pool, &names->holder, cost))
		return NULL;
	shown = memory_zeroed(1, sizeof(*shown));
	*shown = (struct shown){
		.name = intern_passing_printable(text, bytes), .holder = names->holder, .bytes = (uint32_t)cost, .recent = true,
	};
	map_put(&names->shown, key, shown);
	return shown->name;
}

const char *names_function(struct names *names, const char *raw, bool folded)
{
	size_t bytes = strlen(raw);
	uint64_t key = key_of(names, raw, bytes, folded ? 2 : 0);
	const char *name = find(names, key);
	char shown[SHOWN_BYTES_MOST + sizeof(FOLDED)];

	if (name || !pool_has_room(&names->pool, &names->holder, ENTRY_BYTES))
		return name;
	if (demangle(raw, shown, SHOWN_BYTES_MOST)) {
		if (bytes >= SHOWN_BYTES_MOST)
			bytes = SHOWN_BYTES_MOST - 1;
		memcpy(shown, raw, bytes);
		shown[bytes] = '\0';
	}
	if (folded)
		strcat(shown, FOLDED);
	bytes = strlen(shown);
	return add(names, key, shown, bytes, bytes + ENTRY_BYTES);
}

const char *names_object(struct names *names, const char *path, size_t bytes)
{
	uint64_t key = key_of(names, path, bytes, 1);
	const char *name = find(names, key);

	return name ? name : add(names, key, path, bytes, bytes * (1 + OBJECT_COPIES) + OBJECT_BYTES);
}

const char *names_build_id(struct names *names, const char *hexadecimal, size_t bytes)
{
	uint64_t key = key_of(names, hexadecimal, bytes, 3);
	const char *name = find(names, key);

	return name ? name : add(names, key, hexadecimal, bytes, bytes + ENTRY_BYTES);
}

void names_forget(struct names *names)
{
	for (struct map_slot *slot = map_next(&names->shown, NULL); slot; slot = map_next(&names->shown, slot)) {
		struct shown *shown = slot->value;

		if (shown->recent || intern_is_kept(shown->name)) {
			intern_keep(shown->name);
			shown->recent = false;
			continue;
		}
		pool_give(&names->pool, &shown->holder, shown->bytes);
		map_remove(&names->shown, slot->key);
		free(shown);
		names->forgotten++;
	}
	map_trim(&names->shown);
	names->kept_bytes = names->pool.used;
}

bool names_are_many(const struct names *names)
{
	return names->pool.used >= names->kept_bytes + names->pool.most / MANY_SHARE;
}

void names_free(struct names *names)
{
	map_free_values(&names->shown);
	pool_free(&names->pool);
}
