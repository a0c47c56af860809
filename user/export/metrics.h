/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics, as one OTLP request that is built in memory and then written as protobuf or as JSON. There is a resource
 * for each process name (process.executable.name) and one, without it, for ktally itself. All are monotonic delta sums.
 *
 * As Elastic's profilingmetrics connector has them, so that dashboards made for it work; int, unit "1":
 *
 *	samples.user.count		leaf in user space
 *	samples.kernel.count		leaf in the kernel: kernel_area, kernel_proto, kernel_io, syscall_name, where they apply
 *	samples.native.count		leaf in native code: shlib_name, where it is a shared library
 *	samples.RUNTIME.count		leaf in a runtime: cpython, jvm, go, v8js, php, perl, ruby, dotnet, rust, beam
 *
 * The same in CPU time, which counts cannot tell once rates change, are thinned or differ between hosts; double, unit "s":
 *
 *	ktally.cpu.time			ktally.area (class.h), cpu.mode (user, system), and those of samples.kernel.count
 *
 * The time that threads waited; double, unit "s". With ktally.cpu.time it adds up to the wall time of all threads:
 *
 *	ktally.offcpu.time		ktally.cause (wait.h), ktally.area of the code that waits, and those of samples.kernel.count
 *
 * On ktally itself; unit "1" if not said otherwise:
 *
 *	ktally.samples.read		samples that came out of the rings
 *	ktally.samples.time		what they stand for, in seconds
 *	ktally.waits.read		waits that came out of the rings and have ended
 *	ktally.waits.time		what they stand for, and open waits so far, in seconds
 *	ktally.samples.lost		samples and waits that did not: ktally.cause (ring_full, busy; threads: waits that nobody
 *					could follow, of unknown length)
 *	ktally.samples.lost_time	what they stood for, in seconds: ktally.cause
 *	ktally.samples.orphaned		read, but their task or stack was never announced: in no other metric
 *	ktally.samples.capped		counted under process "other": the tally had no room for another row
 *	ktally.notices.lost		announcements of exec and exit that found no room
 *	ktally.records.bad		records that were not well-formed
 *	ktally.throttles		times that the time budget thinned the samples, or stopped to
 *	ktally.stacks.truncated		distinct user stacks with more frames than the session's depth
 *	ktally.stacks.broken		distinct user stacks that break off
 *	ktally.frames.named, .unknown	frames that got a name, and that did not
 *	ktally.files.failed, .evicted	files whose symbols could not be read, and that were dropped to make room
 */
#ifndef KTALLY_METRICS_H
#define KTALLY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/export.h"
#include "proto/metrics.pb-c.h"

struct metrics_block;

struct metrics {
	Otlp__ExportMetricsServiceRequest request;
	size_t points;
	uint64_t start, end;		/* the window: later than start, up to end; CLOCK_REALTIME */
	bool everything;		/* since the tally was created, instead of since it was last marked */
	struct metrics_block *blocks;	/* memory that the request is in */
};

/* An attribute without a value is left out. */
struct metrics_attribute {
	const char *key, *value;
};

enum { METRICS_ATTRIBUTES_MOST = 8 };

/* Messages of the request, to be filled. What has no data points is removed again by metrics_trim(). */
void metrics_init(struct metrics *metrics, uint64_t start, uint64_t end, bool everything);
void metrics_free(struct metrics *metrics);
Otlp__ScopeMetrics *metrics_add_resource(struct metrics *metrics, const struct export_host *host,
					 const char *process_name);
Otlp__Sum *metrics_add_sum(struct metrics *metrics, Otlp__ScopeMetrics *scope, const char *name, const char *unit,
			   const char *description);
Otlp__NumberDataPoint *metrics_add_point(struct metrics *metrics, Otlp__Sum *sum,
					 const struct metrics_attribute *attributes, size_t count);
void metrics_trim(struct metrics *metrics);

static inline void metrics_set_count(Otlp__NumberDataPoint *point, uint64_t count)
{
	point->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
	point->as_int = count <= INT64_MAX ? (int64_t)count : INT64_MAX;
}

static inline void metrics_set_seconds(Otlp__NumberDataPoint *point, uint64_t nanoseconds)
{
	point->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	point->as_double = (double)nanoseconds / 1e9;
}

/* What is in it: all processes of the tallies, and ktally itself. */
void metrics_add_processes(struct metrics *metrics, const struct profile *profile, const struct export_host *host);
void metrics_add_self(struct metrics *metrics, const struct profile *profile, const struct export_host *host);

/* What was just built has gone out: the next window begins after it. */
void metrics_mark_processes(struct profile *profile);
void metrics_mark_self(struct profile *profile);

#endif
