/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole profiles on demand: the control socket where they are asked for, and the collector that those are sent to which are to be sent. */
#ifndef KTALLY_DEMAND_H
#define KTALLY_DEMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/options.h"

struct demand;

/* EXIT_OK, or an exit code after a message. */
int demand_create(struct demand **demand, struct loop *loop, const struct daemon_options *options);

/* Takes the profile that options ask for, if they do. The same. */
int demand_begin(struct demand *demand, const struct daemon_options *options);

/* Takes no more requests, ends what is being taken, and delivers, as exporter_finish(). */
void demand_finish(struct demand *demand, uint64_t milliseconds, const bool *impatient);

void demand_destroy(struct demand *demand);

/* What of that can be known without doing it. EXIT_OK, or an exit code after a message. */
int demand_check(const struct daemon_options *options);

/* Where options have profiles go: .../v1development/profiles beside .../v1/metrics. malloc()ed; NULL: they do not say. */
char *demand_endpoint(const struct daemon_options *options);

#endif
