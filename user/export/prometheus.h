/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics as text that Prometheus scrapes: format 0.0.4, or OpenMetrics 1.0. Sums are since the start and only grow, whoever
 * scrapes and however often.
 *
 * Names are those that OpenTelemetry's rules give, so that a metric has the same name whether it is scraped or comes to
 * Prometheus by OTLP: what is no letter or digit becomes "_", then the unit, then "_total" (ktally.cpu.time in seconds is
 * ktally_cpu_time_seconds_total; samples.kernel.count is samples_kernel_count_total). Attributes become labels by the same rule
 * (kernel_area, ktally_area, process_executable_name).
 *
 * All of a scrape has one target, the host: what ktally says of itself is in target_info (host_name, os_type, ...), once. What
 * tells one resource of the request from another, its process or service say, is a label of each of its series; service_name
 * always is. Series that have the same labels after all (of two names that differ only in what is not printable) are added up,
 * as two of them would be an error.
 */
#ifndef KTALLY_PROMETHEUS_H
#define KTALLY_PROMETHEUS_H

#include "export/metrics.h"

enum prometheus_format {
	PROMETHEUS_TEXT,
	PROMETHEUS_OPENMETRICS,
	PROMETHEUS_FORMATS,
};

/* For the header Content-Type. */
extern const char *const prometheus_types[PROMETHEUS_FORMATS];

/* Of cumulative sums (cumulative.h): times are left out, as a scrape is of the moment. */
void prometheus_write(struct buffer *text, const struct metrics *metrics, enum prometheus_format format);

/* The name of a metric's family, which is that of its samples but for "_total". */
void prometheus_family(struct buffer *text, const char *name, const char *unit);

#endif
