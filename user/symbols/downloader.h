/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that downloads for one that is confined: the library of debuginfod writes to files of its cache that are there already,
 * and speaks HTTP and TLS with servers. It has no capability, may write nowhere but below its cache where the kernel has Landlock, and
 * is told build ids and nothing else. What it answers is a descriptor, as little to be believed as any file.
 */
#ifndef KTALLY_DOWNLOADER_H
#define KTALLY_DOWNLOADER_H

#include "symbols/download.h"

/* Asks the library here. A descriptor, or -errno. */
typedef int downloader_find(const uint8_t *build_id, size_t build_id_bytes, download_progress *progress, void *context);

/* Before there are threads. 0 or -errno. */
int downloader_start(downloader_find *find, const char *cache);

bool downloader_is_there(void);

/* Like downloader_find, by one thread at a time. -ENOTCONN: it has ended. */
int downloader_ask(const uint8_t *build_id, size_t build_id_bytes, download_progress *progress, void *context);

#endif
