/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums since the start, for the destinations that want these and not what came new: Prometheus, and whoever is told so by
 * OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.
 *
 * The tally cannot tell them: it forgets rows that nothing was added to for a while, and as a series is made of several rows it would
 * fall by what they had. A reader takes what falls for a counter that began anew, and counts all of it once more. So each series is
 * kept here, and grows by what every export has new.
 *
 * A series begins with the window that it first had something in. It goes, as a whole, when it did not grow for an hour, as most programs that
 * ever ran on a host will not run again under the same name: the pod, the build's directory, the library of that release; and whoever scrapes
 * would carry them for as long as the daemon lives. Those of ktally itself stay, but for cgroups. There are at most so many; past that those go that did not grow
 * for the longest time. Should one come back it begins anew, and says so by its start.
 */
#ifndef KTALLY_CUMULATIVE_H
#define KTALLY_CUMULATIVE_H

#include "export/metrics.h"

#define CUMULATIVE_AGE_SECONDS 3600

struct cumulative;

struct cumulative *cumulative_create(size_t most);	/* series */
void cumulative_destroy(struct cumulative *cumulative);

/*
 * Adds what is new, for good if it `counts`; else it is only part of these totals, and will come again. totals, if not NULL, is
 * initialized, and gets all series at the end of what is new.
 */
void cumulative_take(struct cumulative *cumulative, const struct metrics *new, bool counts, struct metrics *totals);

size_t cumulative_count(const struct cumulative *cumulative);

/*
 * Prometheus tells series that come by OTLP from each other by service.name and service.instance.id, and by nothing else of the resource:
 * without the latter, those of two hosts would be one. So each resource gets one that has the host and whom its time belongs to.
 */
void cumulative_name_instances(struct metrics *totals);

#endif
