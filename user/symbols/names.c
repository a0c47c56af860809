// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "symbols/demangle.h"
#include "symbols/names.h"
#include "symbols/printable.h"

#define SHOWN_BYTES_MOST	2048		/* templates of templates go on for pages */
#define FOLDED			" [folded]"
#define ENTRY_BYTES		64		/* of the maps, for a name; they double, so half of that may be empty */

/* The keys of functions and of objects differ, so that a file called like a mangled name stays as it is. */
static uint64_t key_of(const struct names *names, const char *raw, size_t bytes, uint64_t sort)
{
	return hash_bytes(raw, bytes, (uint64_t)(uintptr_t)names ^ sort);
}

static const char *add(struct names *names, uint64_t key, const char *shown, size_t bytes)
{
	const char *name;

	if (names->bytes + bytes + ENTRY_BYTES > names->most_bytes) {
		names->refused++;
		return NULL;
	}
	names->bytes += bytes + ENTRY_BYTES;
	name = intern_printable(shown, bytes);
	map_put(&names->shown, key, (void *)name);
	return name;
}

const char *names_function(struct names *names, const char *raw, bool folded)
{
	size_t bytes = strlen(raw);
	uint64_t key = key_of(names, raw, bytes, folded ? 2 : 0);
	const char *name = map_get(&names->shown, key);
	char shown[SHOWN_BYTES_MOST + sizeof(FOLDED)];

	if (name)
		return name;
	if (demangle(raw, shown, SHOWN_BYTES_MOST)) {
		if (bytes >= SHOWN_BYTES_MOST)
			bytes = SHOWN_BYTES_MOST - 1;
		memcpy(shown, raw, bytes);
		shown[bytes] = '\0';
	}
	if (folded)
		strcat(shown, FOLDED);
	return add(names, key, shown, strlen(shown));
}

const char *names_object(struct names *names, const char *path, size_t bytes)
{
	uint64_t key = key_of(names, path, bytes, 1);
	const char *name = map_get(&names->shown, key);

	return name ? name : add(names, key, path, bytes);
}

void names_free(struct names *names)
{
	map_free(&names->shown);
}
