/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends metrics to a collector from within the loop, and tells people when the collector stops taking them and when it takes
 * them again: one message for each change, however long it lasts, with what was lost meanwhile.
 */
#ifndef KTALLY_EXPORTER_H
#define KTALLY_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"
#include "loop/loop.h"

struct exporter;

/* endpoint: NULL: what the environment says. EXIT_OK with *exporter NULL: neither says where to. Else an exit code, after a message. */
int exporter_create(struct exporter **exporter, struct loop *loop, const char *endpoint);
void exporter_destroy(struct exporter *exporter);

const char *exporter_endpoint(const struct exporter *exporter);
bool exporter_is_failing(const struct exporter *exporter);

/* Sends what came to the profile since the last time. Times are CLOCK_REALTIME, ns. */
void exporter_send(struct exporter *exporter, struct profile *profile, const struct export_host *host, uint64_t start, uint64_t end);

/* Turns the loop until everything is delivered, the time is up or *impatient; says what was not delivered. */
void exporter_finish(struct exporter *exporter, uint64_t milliseconds, const bool *impatient);

#endif
