/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics, as one OTLP request that is built in memory and then written as protobuf or as JSON. There is a resource
 * for each owner, with its attributes (attribute/owner.h), and one for ktally itself, whose service.name is "ktally". All have host.*
 * and os.*, and the attributes that the daemon was told: see resource.h. All metrics are delta sums, monotonic where not said otherwise; or
 * cumulative ones for the destinations that want these (cumulative.h).
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
 *	ktally.cpu.time			ktally.area (class.h), cpu.mode (user, system), those of samples.kernel.count, and of these
 *					ktally.caller: the area of the user code that called the kernel
 *
 * The time that threads waited; double, unit "s". With ktally.cpu.time it adds up to the wall time of all threads:
 *
 *	ktally.offcpu.time		ktally.cause (wait.h), ktally.area of the code that waits, and those of samples.kernel.count
 *
 * Inclusive time: of all stacks that have the area or category anywhere in them, once however often they do. So these are not to be
 * added up with each other. Areas have a point for what they are part of, too ("kernel/network" of "kernel/network/tcp/read"); double, unit "s":
 *
 *	ktally.cpu.inclusive_time	ktally.area
 *	ktally.offcpu.inclusive_time	ktally.area; without waits for work ("idle/...")
 *	ktally.category.time		ktally.category, ktally.mode (self: the leaf; inclusive): see classify/categories.h
 *	ktally.category.offcpu.time	the same, and ktally.cause
 *
 * On ktally itself; unit "1" if not said otherwise:
 *
 *	ktally.samples.read		samples that came out of the rings
 *	ktally.samples.time		what they stand for, in seconds
 *	ktally.waits.read		waits that came out of the rings and have ended
 *	ktally.waits.time		what they stand for, and open waits so far, in seconds
 *	ktally.cpu.accounted		CPU time that the kernel charged on this host (account.h), in seconds
 *	ktally.cpu.difference		by how much what the samples of the same time stand for is more, in seconds; not monotonic,
 *					as it may be less. How near it is to nothing tells how right ktally.cpu.time is
 *	ktally.cgroup.accounted, .difference	the same of the fifty cgroups that ran most, each with all below it (cpu.stat):
 *					ktally.cgroup, its path
 *	ktally.samples.lost		samples and waits that did not: ktally.cause (ring_full, busy; threads: waits that nobody
 *					could follow, of unknown length)
 *	ktally.samples.lost_time	what they stood for, in seconds: ktally.cause
 *	ktally.samples.orphaned		read, but their task or stack was never announced: in no other metric
 *	ktally.samples.capped		counted under owner "other": there was no room for another series (tally/series.h)
 *	ktally.notices.lost		announcements of exec and exit that found no room
 *	ktally.records.bad		records that were not well-formed
 *	ktally.throttles		times that the time budget thinned the samples, or stopped to
 *	ktally.stacks.read		samples with a user stack: ktally.stack.end, how it ended (complete; truncated: more frames than
 *					the session's depth; no_table, hole, foreign, broken: see KTALLY_END_* in the ABI)
 *	ktally.tables.loaded, .failed, .evicted	unwind tables that the module was given, that could not be made or were refused, and
 *					that it dropped to make room
 *	ktally.frames.named, .unknown	frames that got a name, and that did not
 *	ktally.names.refused, .forgotten	names that were not kept because their process or its user has its share of what names may take
 *					(base/pool.h), and those that went because nothing had them any more
 *	ktally.stacks.unnamed		stacks of which user frames were not named, or which cells do not have, because their process or its user
 *					has its share of it: ktally.cause (time, memory; see profile/turns.h)
 *	ktally.files.failed, .evicted	files whose symbols could not be read, and that were dropped to make room
 *	ktally.files.hung		files that took more than ten seconds to be opened or read: their file system does not answer
 *	ktally.module.refused		what the module refused, as it was more than one user, or one stack, may take of what all share: ktally.cause
 *					(files, spaces, holds, new_files, numbers, lookups, mappings, stock, other; see profile/refused.h). Of the whole host, whichever
 *					session it was for
 *	ktally.export.requests, .retries	requests to all destinations, and those that have to be made again
 *	ktally.export.batches.added	batches to be sent, with those that an earlier run left in the spool
 *	ktally.export.batches.spooled	those that were written to the spool
 *	ktally.export.batches.lost	those that will never arrive: ktally.cause (refused by the destination, spool_full, memory_full,
 *					damaged in the spool)
 *	ktally.export.points.lost	data points of these, and those that were rejected of batches that did arrive: ktally.cause
 */
#ifndef KTALLY_METRICS_H
#define KTALLY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "export/export.h"
#include "proto/metrics.pb-c.h"

struct metrics_block;

struct metrics {
	Otlp__ExportMetricsServiceRequest request;
	size_t points;
	uint64_t start, end;		/* the window: later than start, up to end; CLOCK_REALTIME */
	bool everything;		/* since the tally was created, instead of since it was last marked: cumulative sums */
	const Otlp__Resource *self;	/* ktally itself; may have no metrics */
	struct metrics_block *blocks;	/* memory that the request is in */
};

/* An attribute without a value is left out. */
struct metrics_attribute {
	const char *key, *value;
};

enum {
	METRICS_ATTRIBUTES_MOST = 8,		/* of a point */
	METRICS_RESOURCE_ATTRIBUTES_MOST = 96,
};

/* Messages of the request, to be filled. What has no data points is removed again by metrics_trim(). */
void metrics_init(struct metrics *metrics, uint64_t start, uint64_t end, bool everything);
void metrics_free(struct metrics *metrics);
Otlp__ScopeMetrics *metrics_add_resource(struct metrics *metrics, const struct export_host *host,
					 const struct owner *owner);	/* NULL: ktally itself */
Otlp__ScopeMetrics *metrics_add_described(struct metrics *metrics, const struct metrics_attribute *attributes, size_t count);
void metrics_describe(struct metrics *metrics, Otlp__Resource *resource, const char *key, const char *value);	/* unless it has that key */
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

/* The resources of owners. */
struct metrics_scopes {
	struct map by_owner;		/* const struct owner * -> Otlp__ScopeMetrics */
	Otlp__ScopeMetrics *other;	/* what has time of owners without a resource; NULL: there is none */
};

/* What is in it: all owners of the tallies, and ktally itself. */
void metrics_add_owners(struct metrics *metrics, const struct profile *profile, const struct export_host *host);
void metrics_add_self(struct metrics *metrics, const struct profile *profile, const struct export_host *host);

/* Inclusive time and categories, into the resources that metrics_add_owners() made, which calls it. */
void metrics_add_topics(struct metrics *metrics, const struct profile *profile, const struct export_host *host,
			struct metrics_scopes *scopes);

void metrics_add_accounts(struct metrics *metrics, Otlp__ScopeMetrics *scope, const struct profile *profile);	/* of ktally itself */

/* All of it, trimmed. */
void metrics_build(struct metrics *metrics, const struct profile *profile, const struct export_host *host, uint64_t start,
		   uint64_t end, bool everything);

/*
 * As protobuf, in requests of about so many points, as receivers have a limit for their size (4 MiB and more): whole resources, from
 * *next on, which is 0 at first. The number of points; 0: there are no more.
 */
#define METRICS_POINTS_OF_A_REQUEST 5000
size_t metrics_pack(struct buffer *out, const struct metrics *metrics, size_t *next);

/* As JSON, by OTLP's mapping. 0 or -errno. */
int metrics_write_json(FILE *file, const struct metrics *metrics);

/* What was just built has gone out: the next window begins after it. */
void metrics_mark_owners(struct profile *profile);
void metrics_mark_topics(struct profile *profile);
void metrics_mark_self(struct profile *profile);
void metrics_mark_accounts(struct profile *profile);

#endif
