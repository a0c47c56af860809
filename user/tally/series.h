/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cap on series. What a backend has to keep are series: a metric, a resource and attributes. Rows of a tally are finer in one way,
 * as several are added up to one point, and coarser in another, as one row is part of several metrics; so rows say which series
 * they are part of, by hashes, and those are counted here, each once however many rows have it. A row that there is no room for
 * does not come to be: who asked counts it under "other".
 */
#ifndef KTALLY_SERIES_H
#define KTALLY_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct series;

struct series *series_create(size_t most);
void series_destroy(struct series *series);

/*
 * One more row has these series. False: nothing was done, as there would be more than all but `spare` of those there may be.
 * SERIES_ALWAYS is for what others have left room for. With NULL for the series there is always room.
 */
#define SERIES_ALWAYS	SIZE_MAX
bool series_hold(struct series *series, const uint64_t *keys, size_t count, size_t spare);
void series_release(struct series *series, const uint64_t *keys, size_t count);

size_t series_most(const struct series *series);	/* SIZE_MAX of NULL */
size_t series_count(const struct series *series);

#endif
