/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The signals of OTLP over HTTP as protocols of a sender, and the environment variables of OpenTelemetry's exporter specification.
 */
#ifndef KTALLY_OTLP_H
#define KTALLY_OTLP_H

#include "export/sender.h"

struct otlp_signal {
	const char *variable;		/* "METRICS": of OTEL_EXPORTER_OTLP_METRICS_ENDPOINT and its like */
	const char *path;		/* "v1/metrics" */
	struct sender_protocol protocol;
};

extern const struct otlp_signal otlp_metrics, otlp_profiles;

/*
 * From OTEL_EXPORTER_OTLP_* in the environment, OTEL_EXPORTER_OTLP_METRICS_* first; what is set in options already wins. With no
 * endpoint in either, options->endpoint stays NULL: nobody asked for metrics. -EINVAL with a message for nonsense.
 *
 * Proxies are not taken from http_proxy and the like, as OpenTelemetry has no word on them: only the endpoint is ever connected to.
 */
int otlp_options_from_environment(struct sender_options *options, const struct otlp_signal *signal);

/* The answers to all signals are the same but for names, which are not on the wire. */
void otlp_read_answer(struct sender_answer *answer, long status, const char *type, const struct buffer *body);

#endif
