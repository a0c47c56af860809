/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes out: files for people's tools, metrics for backends. Writers of files take a FILE and return 0 or -errno of the
 * first write that failed; export_file() opens, writes through a temporary name, checks and renames, so that a full disk leaves no half file.
 */
#ifndef KTALLY_EXPORT_H
#define KTALLY_EXPORT_H

#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>

#include "attribute/deployment.h"
#include "base/buffer.h"
#include "profile/profile.h"

/* What the host says of itself; goes into every file and every metric. */
struct export_host {
	const char *name;		/* hostname */
	const char *id;			/* /etc/machine-id, or "" */
	const char *release;		/* kernel release */
	const char *os_name, *os_version;	/* from os-release, or "" */
	uint64_t realtime, monotonic;	/* one moment by both clocks, ns */
	uint32_t rate;			/* nominal samples per second and CPU */
	uint32_t clock;			/* KTALLY_CLOCK_* */
	uint32_t cpus;			/* that are sampled */
	const char *cpus_left_out;	/* "4-7": those that are not; NULL or "": there is none */
	const struct deployment *deployment;	/* what it was told to say; NULL: nothing */
};

void export_host_fill(struct export_host *host);	/* of this host, now, all its CPUs; not rate and clock */
void export_host_leave_out(struct export_host *host, const struct cpus *left_out);
uint64_t export_realtime(const struct export_host *host, uint64_t monotonic);

/*
 * sources: KTALLY_SOURCE_ONCPU, KTALLY_SOURCE_OFFCPU, or both: wall time, all that threads did and waited for. Writers that always
 * tell of both do not look at it.
 */
typedef int export_writer(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host);

export_writer export_pprof;		/* gzipped profile.proto: a count and nanoseconds (cpu, offcpu, wall); labels for process, thread, area, cause */
export_writer export_otlp;		/* OTLP profiles: ProfilesData, of both sources if both are asked for; an empty file if there is no sample */
export_writer export_folded;		/* process;frame;frame WEIGHT-IN-NS, root first, kernel frames with _[k] */
export_writer export_flamegraph;	/* one self-contained HTML file: search, zoom, colours by area, of waits by cause */
export_writer export_speedscope;	/* JSON for https://www.speedscope.app */
export_writer export_metrics_json;	/* the OTLP metrics as JSON (ExportMetricsServiceRequest, proto3 JSON mapping of OTLP): of a profile that forgets nothing */
export_writer export_breakdown;		/* text for people: by area, by library, by process, by syscall, by cause */

/* One sample as `perf script` prints it: what FlameScope, speedscope, stackcollapse-perf.pl read. */
int export_perf_script(FILE *file, const struct profile_sample *sample);

#define EXPORT_FILE_FLAGS	(O_WRONLY | O_CLOEXEC | O_NOCTTY)	/* that a pipe or a device is opened with */
#define EXPORT_METRICS_FLAGS	(EXPORT_FILE_FLAGS | O_NONBLOCK)

int export_file(const char *path, export_writer *writer, const struct profile *profile, uint32_t sources,
		const struct export_host *host);

/*
 * The same with what can be read from a descriptor, and with metrics as JSON: who writes those waits for nobody. -ENXIO: nobody reads
 * the pipe; -ETIMEDOUT: who reads it does not go on.
 */
struct metrics;
int export_metrics_file(const char *path, const struct metrics *metrics);
int export_copy(const char *path, int from);

/* "CPU time", "waiting", "wall time": what the nanoseconds of these sources are. */
const char *export_time_name(uint32_t sources);

/* ---- OTLP profiles ---- */

/*
 * As ExportProfilesServiceRequests of up to about most_bytes each; a request has samples, and is gone after the call. 0, or the first
 * other value that the taker returned: then there are no more.
 */
typedef int export_request(void *context, const struct buffer *request, size_t samples);
int export_profiles(const struct profile *profile, uint32_t sources, const struct export_host *host, size_t most_bytes,
		    export_request *take, void *context);

/* ---- OTLP metrics, sent as sender.h has it ---- */

/* Serializes delta sums of everything since the last call into an ExportMetricsServiceRequest, and marks it exported. Returns data points. */
size_t export_metrics_protobuf(struct buffer *out, struct profile *profile, const struct export_host *host, uint64_t start_realtime, uint64_t end_realtime);

/* The same mark, where nobody takes them: rows of which all has gone out make room for others. */
void export_metrics_mark(struct profile *profile);

#endif
