/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Things and the time they took: in the last interval, and since the start. For the tables of ktally top. */
#ifndef KTALLY_RANKING_H
#define KTALLY_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

struct ranked {
	const char *name, *place;		/* its own, as names may be forgotten meanwhile; place may be NULL */
	uint64_t now, total;			/* ns: since ranking_advance(), and since the start */
	uint64_t shown;				/* of the interval before: what `now` was at ranking_advance() */
};

struct ranking {
	struct map rows;
	uint64_t now, shown, total;		/* sums of all rows, also of those that were dropped */
};

void ranking_add(struct ranking *ranking, const char *name, const char *place, uint64_t weight);

/* Ends an interval: what came in it is `shown`, and another begins. Keeps the number of rows bounded. */
void ranking_advance(struct ranking *ranking);

/* The greatest first, by what was shown or by the total; at most so many. The number of rows filled in. */
size_t ranking_top(const struct ranking *ranking, bool by_total, const struct ranked **rows, size_t most);

void ranking_free(struct ranking *ranking);

#endif
