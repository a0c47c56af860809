/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned strings: equal strings are one pointer, so that it can be compared and be a key.
 *
 * There are two sorts. What the program itself says (areas of the kernel, causes, metrics, its configuration) is interned for good:
 * there is only so much of it. What processes bring, by files that they map, functions that they have and paths that they run, is
 * without end on a host that runs for months; that is interned as passing, and goes once nobody has it any more.
 *
 * Nobody counts references. A pointer to a name is copied with the struct it is in, into rows, classes and cells, in some fifty
 * places; one that forgot to count would be a use after free or a leak that nobody finds. Instead there is one moment, intern_forget(),
 * when no name is on its way from one place to another, and one rule for each side:
 *
 *	Who holds passing names says so before it, each time, by intern_keep(): profile/names.c does, and lists them all. A holder that
 *	is copied from a held one needs no word of its own.
 *	Who has something under the address of a name (what rules say of it, what file it is) has a cache, and empties it when
 *	intern_has_forgotten() says that names went since: so it never takes a new name for an old one at the same address.
 *
 * So that a name is freed too early takes a holder that is not in that list, which the tests look for: under the sanitizer a name
 * that was freed is poisoned. That one stays too long takes nothing but somebody who holds it. A string that was interned for good,
 * before or after, is never freed.
 *
 * One thread only.
 */
#ifndef KTALLY_INTERN_H
#define KTALLY_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For good. The bytes end at a zero among them; NULL gives NULL. */
const char *intern(const char *string);
const char *intern_bytes(const char *string, size_t bytes);

/* Until an intern_forget() before which nobody kept it. */
const char *intern_passing(const char *string, size_t bytes);

/* The name stays at the next intern_forget(). Of what is NULL or not interned there is nothing to keep. */
void intern_keep(const char *name);
bool intern_is_kept(const char *name);		/* since the last one */

/* Frees all passing names that nobody kept since the last call. */
void intern_forget(void);

/* Whether names were freed since the last call with this counter, which is 0 at first. */
bool intern_has_forgotten(uint64_t *counter);

struct intern_statistics {
	size_t names, bytes;		/* all, with what it takes to find them */
	size_t passing;			/* names that are not for good */
};
void intern_get_statistics(struct intern_statistics *statistics);

#endif
