/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens files for writing that are there already, when the process itself may not any more (filter.h): the device for another
 * session, a file of lines that logrotate has made anew, a pipe.
 *
 * It is another process, begun before there are threads and before anything hostile is read. It takes no paths: they were named
 * to it beforehand, by the administrator's options, and a request is the number of one. So whoever rules the process that asks
 * can open for writing what that had open anyway; and nothing below /proc, wherever links lead meanwhile. It has nothing but the
 * capability that a session of the device takes, and ends with the process that started it.
 */
#ifndef KTALLY_OPENER_H
#define KTALLY_OPENER_H

#include <sys/types.h>

/* Before opener_start(). The path must stay as it is. NULL: nothing is named. */
void opener_name(const char *path, int flags);

/* 0 or -errno. Where nothing was named, nothing is started. */
int opener_start(void);

/*
 * Like open(), but -errno. What was not named, or with other flags, is opened only if the filter lets the process itself do it; so is
 * everything where no opener was started. A file that is not there is made by the process itself.
 */
int opener_open(const char *path, int flags, mode_t mode);

/* When memory runs out, this child of the process is to be ended before all others. 0 or -errno. */
int opener_sacrifice(pid_t child);

/* Lets it go, when nothing will be opened any more. */
void opener_end(void);

#endif
