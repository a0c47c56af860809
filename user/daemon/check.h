/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a start can be tried without the module, and without leaving anything behind: --check-config refuses what starting would refuse,
 * with the same message and exit code.
 *
 * Whether files and the spool may be written where they are to be is not tried, as the daemon may run as somebody else than who checks.
 * That an address is in use is no fault while a ktallyd answers at the control socket: what is checked is what that one is to be started
 * anew with.
 */
#ifndef KTALLY_DAEMON_CHECK_H
#define KTALLY_DAEMON_CHECK_H

#include <stdbool.h>

#include "daemon/options.h"
#include "loop/loop.h"

/* file: how it is called. EXIT_OK, after saying so; else an exit code, after a message. */
int check_start(struct daemon_options *options, const char *file);

/* For this and for starting: makes the loop. EXIT_OK, or an exit code after a message. */
int check_loop(struct loop **loop, enum loop_kind kind);

/* 0, or -errno: why there cannot be a file, or a directory, at this path. */
int check_place(const char *path, bool is_directory);

#endif
