/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics as lines of JSON, for Filebeat and its like: one line for each series and interval, which never changes its fields:
 *
 *	"@timestamp"	end of the interval, UTC, RFC 3339 with milliseconds
 *	"start"		beginning of the interval, likewise
 *	"metric"	name, as in metrics.h: "ktally.cpu.time"
 *	"unit"		"s", "1"
 *	"value"		what came in the interval: a delta; a number, always with the same type for a metric
 *	"attributes"	of the series, an object of strings: {"ktally.area":"kernel/network/tcp/read","cpu.mode":"system"}
 *	"resource"	whose it is, an object of strings: {"host.name":"...","process.executable.name":"..."}
 *
 * The name of a metric is a value here and not a field, so new metrics make no new fields; attributes are few and their keys are
 * known. Lines end in "\n" and have none within.
 */
#ifndef KTALLY_JSON_LINES_H
#define KTALLY_JSON_LINES_H

#include "export/metrics.h"

void json_lines(struct buffer *out, const struct metrics *metrics);

#endif
