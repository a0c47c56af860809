/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool of what there is only so much of, memory for names, for frames, for owners; and what each may have of it. Any process can ask
 * for all of it, so it is not first come, first served:
 *
 *	a user may hold as much as is left free after it got it;
 *	a process may hold half as much as is left free.
 *
 * So one user alone has half of all at most and one process a third. Whatever others hold, whoever comes next may have half of what is
 * free, and as nobody can take the last half there always is some: who asks for too much is refused what it asks for, and nobody else is.
 * That is a bound by what there is, not by a count of users, which nobody knows: a host with one user wastes half, not nine tenths.
 * What was taken before others came is not taken away from its holder; it comes back by age.
 */
#ifndef KTALLY_POOL_H
#define KTALLY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

/* For whom something is held. */
struct pool_holder {
	uint32_t user;			/* POOL_NOBODY: not known. All of these share what one user has */
	uint64_t process;		/* any number that tells them apart; 0: not known, bound by its user alone */
};

#define POOL_NOBODY	UINT32_MAX

/* Zeroed at first, but for: */
struct pool {
	size_t most;
	bool undivided;			/* there is nobody to be protected: all may be one's */
	size_t used;
	uint64_t refused;		/* how often there was no more */
	struct pool_holder last_refused;
	struct map users, processes;	/* what each holds, as a number */
};

/* False: it is refused, and counted so. */
bool pool_take(struct pool *pool, const struct pool_holder *holder, size_t amount);
bool pool_has_room(struct pool *pool, const struct pool_holder *holder, size_t amount);	/* the same, but nothing is taken */
void pool_give(struct pool *pool, const struct pool_holder *holder, size_t amount);	/* back what was taken */
size_t pool_of_user(const struct pool *pool, uint32_t user);
void pool_free(struct pool *pool);

#endif
