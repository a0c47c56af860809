/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon tells the process that takes a profile (taker.h), as that is a program of its own: the request, why the device could
 * not be opened for it, if so (request->session.device), and of the daemon's options those that say how time is attributed and named,
 * and which CPUs are sampled. Nothing else of the daemon gets there: no credentials of collectors, no samples of others, no address of
 * its memory.
 *
 * It is a document (config/document.h) in a file in memory, as JSON.
 */
#ifndef KTALLY_ORDER_H
#define KTALLY_ORDER_H

#include "control/request.h"
#include "daemon/options.h"

void order_write(const struct request *request, const struct daemon_options *options, struct buffer *text);

/*
 * The other way round; the options are to be released by daemon_options_release(). EXIT_OK, or an exit code after a message: then there
 * is nothing to release.
 */
int order_read(const char *text, size_t bytes, struct request *request, struct daemon_options *options);

#endif
