/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn it is to have a stack named, when there is no time for all. The time that it takes is added up for each user and each process, in
 * windows of a second or two, so that nothing is held against anybody for long. So is the time that it takes to learn what the process is.
 *
 * Under pressure those go without who had at least the average of all users and, of all processes, too. Somebody always has the average or more,
 * so there is always somebody who goes without, and pressure ends; and whoever has less than the average, as all have who merely
 * run beside a flood, never does. A stack that is refused costs next to nothing, so refusing those of the flood is enough.
 *
 * When there is no time at all, all go without names for a while, but what a process is can be asked only as long as it lives: that is
 * refused to those alone who had most, then too.
 */
#ifndef KTALLY_PROFILE_TURNS_H
#define KTALLY_PROFILE_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "profile/profile.h"

/* Zeroed at first. */
struct turns {
	enum profile_pressure pressure;
	uint64_t window;		/* began, CLOCK_MONOTONIC ns */
	uint64_t time;			/* in it, ns */
	struct map users, processes;	/* time of each, as a number */
};

bool turns_has(struct turns *turns, const struct pool_holder *holder);	/* its stacks may be named */
bool turns_may_learn(const struct turns *turns, const struct pool_holder *holder);	/* its mappings and environment may be read */
uint64_t turns_begin(void);						/* a stack is being named from now on */
void turns_end(struct turns *turns, const struct pool_holder *holder, uint64_t began);
void turns_free(struct turns *turns);

#endif
