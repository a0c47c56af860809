/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files from debuginfod's servers, by build id: whoever names a server and asks for it need not install any package of debug
 * files. Off unless allowed, as asking tells these servers which programs run here.
 *
 * It is done by debuginfod's own client library, which knows the protocol, its variables, and a cache that gdb and perf share with us.
 * The library is opened when downloads are allowed, as elfutils' libdwfl does it: it brings a second HTTP and TLS library along, which
 * nobody has to have, to build or to run, who downloads nothing. Servers are those of DEBUGINFOD_URLS, and nothing else knows of any.
 * What comes is in the cache afterwards, and as little to be believed as any other file: see debug.c.
 */
#ifndef KTALLY_DOWNLOAD_H
#define KTALLY_DOWNLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum download_when {
	DOWNLOAD_NEVER,			/* which is so at first */
	DOWNLOAD_AT_ONCE,		/* by whoever looks for a debug file, while others wait */
	DOWNLOAD_LATER,			/* by a thread that has nothing else to do */
};

/*
 * To be called before there are threads: variables of the library that are not set are set here, for limits and the cache's place.
 * -errno, after a message: there is no library, or no server.
 */
int download_allow(enum download_when when);
enum download_when download_is_allowed(void);

/*
 * Where DOWNLOAD_LATER is allowed, another process asks the servers from here on, see downloader.h; for one that will be confined. Before
 * there are threads. -errno, after a message.
 */
int download_apart(void);

/* Called every second. True: give up. */
typedef bool download_progress(void *context);

/*
 * A descriptor of the file, from the cache if it is there. -ENOENT: no server has it, or it was given up: the cache says so for ten
 * minutes; -EFBIG; -EAGAIN: no server answered, not now or a while ago, of which there was a message then.
 */
int download_debug_file(const uint8_t *build_id, size_t build_id_bytes, download_progress *progress, void *context);

#endif
