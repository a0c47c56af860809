// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/map.h"
#include "base/message.h"
#include "tally/series.h"

struct series {
	size_t most;
	struct map rows;		/* key -> how many rows have it, as a number */
};

struct series *series_create(size_t most)
{
	struct series *series = memory_zeroed(1, sizeof(*series));

	series->most = most;
	return series;
}

void series_destroy(struct series *series)
{
	if (series)
		map_free(&series->rows);
	free(series);
}

/* Whether it is a new one. */
static bool hold(struct series *series, uint64_t key)
{
	uintptr_t rows = (uintptr_t)map_get(&series->rows, key);

	map_put(&series->rows, key, (void *)(rows + 1));
	return !rows;
}

void series_release(struct series *series, const uint64_t *keys, size_t count)
{
	for (size_t i = 0; series && i < count; i++) {
		uintptr_t rows = (uintptr_t)map_get(&series->rows, keys[i]);

		if (rows > 1)
			map_put(&series->rows, keys[i], (void *)(rows - 1));
		else
			map_remove(&series->rows, keys[i]);
	}
}

bool series_hold(struct series *series, const uint64_t *keys, size_t count, size_t spare)
{
	size_t room = spare == SERIES_ALWAYS ? SIZE_MAX : series && series->most > spare ? series->most - spare : 0;

	for (size_t i = 0; series && i < count; i++) {
		if (hold(series, keys[i]) && series->rows.used > room) {
			series_release(series, keys, i + 1);
			return false;
		}
	}
	return true;
}

size_t series_most(const struct series *series)
{
	return series ? series->most : SIZE_MAX;
}

size_t series_count(const struct series *series)
{
	return series->rows.used;
}
