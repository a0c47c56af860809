/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests for memory, and copies from and to user space, that the kernel makes fail: one chosen by its number among all that a task makes,
 * or some of those of marked tasks. All end the program if they cannot do what they should.
 */
#ifndef KTALLY_TEST_FAILURES_H
#define KTALLY_TEST_FAILURES_H

#include <stdbool.h>
#include <sys/types.h>

/* Requests that may wait fail as well as others, of whatever size. */
void failures_prepare(void);

/* A descriptor that counts a task's requests; 0: those of the calling thread. */
int failures_counter(pid_t task);
/* From now on, the request of this number fails; 0: none. */
void failures_set(int counter, unsigned int nth);
/* How many more it would have taken: 0: it has failed. */
unsigned int failures_left(int counter);

/* This share of what marked tasks ask for fails. */
void failures_of_marked(unsigned int percent);
/* Marks the kernel's threads whose names begin so, and those that it starts from now on; or takes the mark away. */
void failures_mark(const char *kind, bool mark);

/* The thread of the kernel with this name; 0: there is none. */
pid_t failures_thread(const char *name);

/* Copies what the kernel has traced to where KTALLY_FAULT_TRACE says, if it does. */
void failures_save_trace(void);

#endif /* KTALLY_TEST_FAILURES_H */
