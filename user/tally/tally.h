/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts and nanoseconds by owner, class and system call, in rows of a bounded number of series (series.h), and so in a bounded number
 * of rows.
 */
#ifndef KTALLY_TALLY_H
#define KTALLY_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attribute/owner.h"
#include "classify/class.h"

struct tally_row {
	const struct owner *owner;	/* "other" in the rows that take what came after the cap: one for each runtime */
	struct class class;
	const char *syscall_name;	/* best known: by number, else by frame; NULL */
	bool is_other;			/* takes what came after the cap */
	uint64_t samples, weight;	/* since the tally was created; weight in ns */
	uint64_t samples_exported, weight_exported;	/* how much of that has gone out: the exporter's, for delta sums */
	uint64_t samples_before, weight_before;		/* as of the last tally_forget() */
	bool held;			/* somebody holds the row: it stays at the next tally_forget() */
};

struct tally;

/* series: those that there may be, which other tallies may share; NULL: any number. other: who owns what comes past them */
struct series;
struct tally *tally_create(struct series *series, const struct owner *other);
void tally_destroy(struct tally *tally);

/*
 * The row that samples of these go to: the same one, once there is one. With the cap reached, a row of "other", and of the cause "other" if
 * the class has one.
 */
struct tally_row *tally_row(struct tally *tally, const struct owner *owner, const struct class *class, const char *syscall_name);
void tally_add(struct tally *tally, struct tally_row *row, uint64_t samples, uint64_t weight);

/* Rows in no particular order; stable pointers until the tally is destroyed, or forgets them. */
struct tally_row **tally_rows(const struct tally *tally, size_t *count);

/*
 * Drops the rows that nobody holds, that nothing was added to since the last call, and of which all has gone out: so there is room
 * for others.
 */
void tally_forget(struct tally *tally);

uint64_t tally_overflow(const struct tally *tally);	/* samples that went to "other" because of the cap */

/*
 * Other counters are exported along with the rows, losses for example. What has gone out of them is kept here, TALLY_MARKS
 * numbers that are the exporter's alone, so that it begins and ends with the tally.
 */
#define TALLY_MARKS	64
uint64_t *tally_marks(struct tally *tally);

#endif
