/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sender within the loop, which tells people when its destination stops taking what is sent and when it takes it again: one
 * message for each change, however long it lasts, with what was lost meanwhile. The same of its spool.
 */
#ifndef KTALLY_EXPORTER_H
#define KTALLY_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "export/sender.h"
#include "loop/loop.h"
#include "profile/profile.h"

struct exporter;

/*
 * Options as sender_create() wants them, but for the spool: that is the directory in which each exporter has its own, with the name of
 * its protocol. EXIT_OK, or an exit code after a message.
 */
int exporter_create(struct exporter **exporter, struct loop *loop, const struct sender_options *options);
void exporter_destroy(struct exporter *exporter);

/* Whether there can be a spool; without an endpoint there is none. The same. */
int exporter_check(const struct sender_options *options);

const char *exporter_endpoint(const struct exporter *exporter);
bool exporter_is_failing(const struct exporter *exporter);
void exporter_get_statistics(const struct exporter *exporter, struct sender_statistics *statistics);
void exporter_add_delivery(const struct exporter *exporter, struct profile_delivery *delivery);	/* exporter may be NULL */

void exporter_submit(struct exporter *exporter, const struct buffer *message, size_t points);

/*
 * Turns the loop until everything is delivered, or on disk while the destination takes nothing; until the time is up or *impatient.
 * Says what was not delivered.
 */
void exporter_finish(struct exporter *exporter, uint64_t milliseconds, const bool *impatient);

#endif
