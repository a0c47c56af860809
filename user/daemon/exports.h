/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where metrics go at each export: by OTLP to a collector, as documents to Elasticsearch, as lines of JSON into a file, and into the
 * sums that Prometheus scrapes.
 * What is new since the last export is made once, and each gets it in its form: delta sums, or cumulative ones (cumulative.h).
 */
#ifndef KTALLY_EXPORTS_H
#define KTALLY_EXPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/options.h"
#include "export/metrics.h"
#include "loop/loop.h"

struct exports;

/* EXIT_OK, or an exit code after a message. Says aloud where to. */
int exports_create(struct exports **exports, struct loop *loop, const struct daemon_options *options);
void exports_destroy(struct exports *exports);

/* What of that can be known without doing it. The same. */
int exports_check(const struct daemon_options *options);

/* Sends what came to the profile since the last time. Times are CLOCK_REALTIME, ns. */
void exports_send(struct exports *exports, struct profile *profile, const struct export_host *host, uint64_t start, uint64_t end);

/*
 * Everything since the start up to now, with what came since the last export, which ended at `start`; for metrics_free(). Somebody among
 * the options must want it: Prometheus, or a file of metrics.
 */
void exports_add_up(struct exports *exports, struct profile *profile, const struct export_host *host, uint64_t start,
		    struct metrics *totals);

/* Turns the loop until everything is delivered, the time is up or *impatient; says what was not delivered. */
void exports_finish(struct exports *exports, uint64_t milliseconds, const bool *impatient);

bool exports_have_failed(const struct exports *exports);	/* something that was to be in a file is not */

/* "exporting to http://...", for the service manager. */
void exports_describe(const struct exports *exports, struct buffer *text);

#endif
