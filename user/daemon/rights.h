/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon gives up between its start and its first sample, see confine/confine.h; with --no-confine nothing. */
#ifndef KTALLY_RIGHTS_H
#define KTALLY_RIGHTS_H

#include "daemon/options.h"

/* Before anything is opened and any thread begins. EXIT_OK, or an exit code after a message. */
int rights_begin(const struct daemon_options *options);

/* When all is open that will be. The same; says what is not done for the lack of a capability. */
int rights_end(const struct daemon_options *options);

#endif
