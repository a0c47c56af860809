/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a program that reads others' processes gives up what that does not take. Two steps, as files, sockets and threads are made
 * between them:
 *
 *	begin	capabilities.h: others than these are gone; opener.h: what is to be opened later can be, where something was named
 *	end	filter.h: what the process does not do, it cannot do
 *
 * A kernel without filters is no reason not to run, as nobody can change that on a host that is there: the process says so and does
 * without, its capabilities are gone all the same. Where there are filters and one cannot be applied, it does not run.
 */
#ifndef KTALLY_CONFINE_H
#define KTALLY_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Before there are threads. `also`: capabilities that are needed up to the end. EXIT_OK, or the exit code after a message. */
int confine_begin(uint64_t also);

/* Before anything hostile is read. The same. */
int confine_end(void);

#endif
