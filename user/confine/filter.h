/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of a process that reads other processes and what they wrote. Whoever gets to run code in it, by a hostile ELF file
 * say, has its capabilities; this is what he cannot do with them.
 *
 * It is a list of what is allowed, with conditions on arguments where these are numbers. Anything else fails with EPERM, and the
 * kernel log (or the audit daemon) tells the call's number. Calls for another architecture, x32's among them, end the process.
 *
 * Never allowed: writing to another process (ptrace, process_vm_writev, pidfd_getfd, process_madvise), namespaces and mounts,
 * modules, BPF, perf events, keys, users, owners and modes of files, io_uring_setup, listening, and openat2, whose flags no filter
 * can see. And no open() for writing, but of a file that the call itself makes: O_CREAT with O_EXCL. Such a call never touches what is
 * there, whatever the path, and below /proc and /sys nothing can be made; so a path, which no filter can see either, need not be
 * seen. Descriptors for files that are there come from opener.h.
 *
 * Landlock sees paths, but is not for this process: a process with a Landlock domain may not look at any other outside of it, by
 * the same check that ptrace() makes, whatever its capabilities; and looking at /proc/PID/maps is what this one is for.
 */
#ifndef KTALLY_FILTER_H
#define KTALLY_FILTER_H

#include <stdbool.h>

enum filter_kind {
	FILTER_READER,		/* as above */
	FILTER_OPENER,		/* the process of opener.h: opens what it was told beforehand, and nothing else */
	FILTER_DOWNLOADER,	/* the process of symbols/download.h: FILTER_READER, but any file may be opened for writing */
};

/* False: this kernel was built without such filters. Where something else forbids them there are some, and applying one fails. */
bool filter_exists(void);

/* For all threads of the process, and all that it will ever start. 0 or -errno. */
int filter_apply(enum filter_kind kind);

#endif
