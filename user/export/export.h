/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes out: files for people's tools, metrics for backends. Writers of files take a FILE and return 0 or -errno of the
 * first write that failed; export_file() opens, writes through a temporary name, checks and renames, so that a full disk leaves no half file.
 */
#ifndef KTALLY_EXPORT_H
#define KTALLY_EXPORT_H

#include <stdint.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

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
	uint32_t cpus;
};

void export_host_fill(struct export_host *host);	/* of this host, now; not rate and clock */
uint64_t export_realtime(const struct export_host *host, uint64_t monotonic);

/*
 * sources: KTALLY_SOURCE_ONCPU, KTALLY_SOURCE_OFFCPU, or both: wall time, all that threads did and waited for. Writers that always
 * tell of both do not look at it.
 */
typedef int export_writer(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host);

export_writer export_pprof;		/* gzipped profile.proto: a count and nanoseconds (cpu, offcpu, wall); labels for process, thread, area, cause */
export_writer export_folded;		/* process;frame;frame WEIGHT-IN-NS, root first, kernel frames with _[k] */
export_writer export_flamegraph;	/* one self-contained HTML file: search, zoom, colours by area, of waits by cause */
export_writer export_metrics_json;	/* the OTLP metrics as JSON (ExportMetricsServiceRequest, proto3 JSON mapping of OTLP) */
export_writer export_breakdown;		/* text for people: by area, by library, by process, by syscall, by cause */

/* One sample as `perf script` prints it: what FlameScope, speedscope, stackcollapse-perf.pl read. */
int export_perf_script(FILE *file, const struct profile_sample *sample);

int export_file(const char *path, export_writer *writer, const struct profile *profile, uint32_t sources,
		const struct export_host *host);

/* "CPU time", "waiting", "wall time": what the nanoseconds of these sources are. */
const char *export_time_name(uint32_t sources);

/* ---- OTLP metrics over HTTP ---- */

/* Serializes delta sums of everything since the last call into an ExportMetricsServiceRequest, and marks it exported. Returns data points. */
size_t export_metrics_protobuf(struct buffer *out, struct profile *profile, const struct export_host *host, uint64_t start_realtime, uint64_t end_realtime);

struct otlp;	/* a connection to a collector, built on libcurl's multi interface: never blocks the caller */

struct otlp_options {
	const char *endpoint;		/* full URL, .../v1/metrics */
	const char *headers;		/* "k=v,k2=v2", values percent-encoded, or NULL */
	const char *certificate, *client_key, *client_certificate;	/* paths or NULL */
	const char *compression;	/* "gzip" (NULL too), "none" */
	unsigned int timeout_ms;	/* of a request, 10000 by default */
};

struct otlp_statistics {
	uint64_t requests, failures, retries;
	uint64_t batches_dropped, points_dropped;	/* given up: not retryable, or the queue is full */
	uint64_t points_rejected;			/* partial success */
	char last_error[256];				/* "" when the last request went well */
	char last_rejection[256];			/* what came with the last partial success, "" if none did */
};

/*
 * From OTEL_EXPORTER_OTLP_* in the environment, OTEL_EXPORTER_OTLP_METRICS_* first; what is set in options already wins. With no
 * endpoint in either, options->endpoint stays NULL: nobody asked for metrics. -EINVAL with a message for nonsense.
 *
 * Proxies are not taken from http_proxy and the like, as OpenTelemetry has no word on them: only the endpoint is ever connected to.
 */
int otlp_options_from_environment(struct otlp_options *options);

struct otlp *otlp_create(const struct otlp_options *options);	/* NULL, with a message: the options cannot be used */

/* Queues a copy. -ENOBUFS: older ones were dropped to make room; -EMSGSIZE: more than the queue can ever take, dropped itself. */
int otlp_submit(struct otlp *otlp, const void *data, size_t bytes, size_t points);
int otlp_timeout(struct otlp *otlp);		/* milliseconds until otlp_run() wants to be called, -1: no need */
size_t otlp_fds(struct otlp *otlp, struct pollfd *fds, size_t most);	/* what to poll for meanwhile */
void otlp_run(struct otlp *otlp);		/* moves things on; call when a descriptor is ready or the time is up */
bool otlp_idle(const struct otlp *otlp);	/* nothing queued or under way */
void otlp_get_statistics(const struct otlp *otlp, struct otlp_statistics *statistics);
void otlp_destroy(struct otlp *otlp);

#endif
