/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All runs of something that makes choices. It runs again and again from the start, nothing is stored but the choices
 * of the run before; the last one that had another way to go goes there next, until none has: depth first, every run
 * once.
 */
#ifndef KTALLY_TEST_EXPLORE_H
#define KTALLY_TEST_EXPLORE_H

#include <stdbool.h>

/* 0 .. @ways - 1, each of them in some run. */
unsigned int explore_choose(unsigned int ways);

/* Ends this run and the exploration: this run is wrong. */
__attribute__((format(printf, 1, 2), noreturn))
void explore_fail(const char *format, ...);

/* A line about this run, printed only when it is told once more because it failed. */
__attribute__((format(printf, 1, 2)))
void explore_tell(const char *format, ...);
bool explore_telling(void);

/* Whether all runs were right; if one was not, its story is printed. @runs: how many there were. */
bool explore(void (*run)(void), unsigned long long *runs);

#endif
