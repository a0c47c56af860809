/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics for Elasticsearch's bulk API: delta sums as documents of time series data streams.
 *
 * Streams: metrics-ktally.tally-NAMESPACE has the time of all owners, metrics-ktally.self-NAMESPACE what ktally says of itself.
 * user/examples/elasticsearch has the index template, and says how to set it up. Without it Elasticsearch makes up mappings, which work
 * but cost more; with OpenSearch, which has no time series, the template of that name there is for it.
 *
 * A document is flat, and its fields have the names that metrics and attributes have in OTLP, so that dashboards made for Elastic's
 * connector find samples.kernel.count and kernel_area (but ktally.category is ktally.category.name, and ktally.cgroup is
 * ktally.cgroup.path, as metrics are called after them):
 *
 *	{"@timestamp":"2026-11-21T20:10:23.123Z","start_timestamp":"2026-11-21T20:09:53.123Z",
 *	 "data_stream.type":"metrics","data_stream.dataset":"ktally.tally","data_stream.namespace":"default",
 *	 "host.name":"web1","service.name":"shop","process.executable.name":"java","kernel_area":"network","syscall_name":"write",
 *	 "samples.kernel.count":17,"ktally.series":"5d0b0b2c8a1f7e42"}
 *
 * All metrics with the same attributes are in one document. Fields cannot explode: names of fields are those of metrics.h and owner.h
 * and what an administrator adds, never what a process chose, and the template takes no others. ktally.series tells series apart, also
 * by attributes that the template does not know; it follows from the names and values alone, so that a document that is sent twice is
 * found to be there: time series have one document for a series and time.
 *
 * Batches are small enough for the answer, which has something on each document, to be read whole. Of one whose documents were not
 * all taken, those that may be taken later (429) are sent again and no others; what is there already (409) counts as taken; the rest is
 * counted as rejected.
 */
#ifndef KTALLY_ELASTICSEARCH_H
#define KTALLY_ELASTICSEARCH_H

#include "export/metrics.h"
#include "export/sender.h"

#define ELASTICSEARCH_DOCUMENTS_MOST	1000		/* in a batch */
#define ELASTICSEARCH_BYTES_MOST	(1U << 20)	/* of a batch, but for the last document */

typedef void elasticsearch_taker(void *context, const struct buffer *batch, size_t documents);

/* Gives the metrics to `take` in batches. */
void elasticsearch_write(const struct metrics *metrics, const char *namespace, elasticsearch_taker *take, void *context);

extern const struct sender_protocol elasticsearch_bulk;

void elasticsearch_read_answer(struct sender_answer *answer, long status, const char *type, const struct buffer *body);

/* What of a batch that was sent may be taken later, by the answer to it. Appends to `rest`, returns the number of documents. */
size_t elasticsearch_select_rest(struct buffer *rest, const struct buffer *sent, const struct buffer *body);

/*
 * Where and how: url is http[s]://HOST:PORT or with a path before _bulk. Of the environment:
 *
 *	KTALLY_ELASTICSEARCH_API_KEY		as Elasticsearch gives it out, "encoded"; needs create_doc and auto_configure on metrics-ktally.*
 *	KTALLY_ELASTICSEARCH_HEADERS		others, as OTEL_EXPORTER_OTLP_HEADERS
 *	KTALLY_ELASTICSEARCH_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE
 *	KTALLY_ELASTICSEARCH_COMPRESSION	gzip or none
 *
 * -EINVAL, with a message.
 */
int elasticsearch_options(struct sender_options *options, const char *url);

/* A namespace is part of an index's name: lower case, and none of the characters that these may not have. */
bool elasticsearch_namespace_is_good(const char *namespace);

#endif
