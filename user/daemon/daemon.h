/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KTALLY_DAEMON_H
#define KTALLY_DAEMON_H

#include "daemon/options.h"

struct daemon;

/* Opens everything and starts sampling. EXIT_OK, or an exit code after a message. The options must outlive the daemon. */
int daemon_create(struct daemon **daemon, struct daemon_options *options);

/* Until a signal or a failure ends it; delivers and writes what there is. The exit code. */
int daemon_run(struct daemon *daemon);

void daemon_destroy(struct daemon *daemon);

#endif
