// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the text of /proc/PID/maps: what comes of it is sorted, does not overlap, and is found. */
#include <stdint.h>
#include <stdlib.h>

#include "symbols/mappings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct objects objects = { .pool = { .most = SIZE_MAX, .undivided = true } };
	struct mappings *mappings = mappings_parse(&objects, NULL, 1, NULL, (const char *)data, bytes);

	for (size_t i = 0; i < mappings->count; i++) {
		const struct mapping *mapping = &mappings->list[i];

		if (mapping->start >= mapping->end || (i && mapping[-1].end > mapping->start) ||
		    mappings_find(mappings, mapping->start) != mapping ||
		    mappings_find(mappings, mapping->end - 1) != mapping)
			abort();
	}
	mappings_free(mappings, &objects);
	if (objects.map.used || objects.pool.used)
		abort();
	objects_free(&objects);
	return 0;
}
