/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nanoseconds by owner, set of topics and cause, in a bounded number of rows, of a bounded number of series (series.h). What time each topic
 * has is added up from the rows when somebody asks, so that counting costs one addition however many topics a stack has.
 */
#ifndef KTALLY_TOPIC_TALLY_H
#define KTALLY_TOPIC_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner;
struct series;
struct topic_set;
struct topics;

struct topic_row {
	const struct owner *owner;	/* as in struct tally_row */
	const struct topic_set *set;	/* without open ones */
	const char *cause;		/* of waits, interned; NULL: it ran */
	uint64_t weight, weight_exported;
	uint64_t weight_before;		/* as of the last topic_tally_forget() */
	bool held;			/* somebody holds the row: it stays at the next topic_tally_forget() */
};

struct topic_tally;

/*
 * series: those that there may be, which other tallies may share; NULL: any number. topics: which the sets are of. other: who owns what
 * comes past them.
 */
struct topic_tally *topic_tally_create(struct series *series, const struct topics *topics, const struct owner *other);
void topic_tally_destroy(struct topic_tally *tally);

/*
 * The row for these: the same one, once there is one, until it is forgotten. With seven eighths of the series taken by owners, one of the
 * owner "other"; when these have the rest, all goes to one row, of the set topics_other(), and of the cause "other" if it is a wait.
 */
struct topic_row *topic_tally_row(struct topic_tally *tally, const struct owner *owner, const struct topic_set *set, const char *cause);

struct topic_row **topic_tally_rows(const struct topic_tally *tally, size_t *count);

/* As tally_forget(): drops what nobody holds, nothing was added to since the last call, and has gone out. */
void topic_tally_forget(struct topic_tally *tally);

#endif
