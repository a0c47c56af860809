/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves the metrics to Prometheus: GET /metrics, see export/prometheus.h for what it says. A scrape gets what was counted up to
 * then. Pages are made at most once a second for each format, whoever asks how often, and at most two of each are in memory: while
 * somebody is slow in taking the older one, all others get the newer one, up to HTTP_ANSWER_MS.
 */
#ifndef KTALLY_EXPOSITION_H
#define KTALLY_EXPOSITION_H

#include "daemon/http_server.h"
#include "export/prometheus.h"

#define EXPOSITION_FRESH_MS 1000

struct exposition;

/* Writes what was counted up to now. */
typedef void exposition_writer(void *context, struct buffer *text, enum prometheus_format format);

struct exposition_options {
	struct sockaddr_storage address;
	const char *group;		/* whose members may connect to a path, NULL: only who runs as the daemon does */
	const char *token;		/* file of the token that is asked for, see access.h; NULL: none */
};

/* EXIT_OK, or an exit code after a message. */
int exposition_create(struct exposition **exposition, struct loop *loop, const struct exposition_options *options,
		      exposition_writer *writer, void *context);

/* What of that can be known without serving. *in_use: that the address is in use is no fault, and told here. The same. */
int exposition_check(const struct exposition_options *options, struct loop *loop, bool *in_use);

/* Reads the token anew; with a message if it cannot be used, and then the former one goes on. */
void exposition_reload(struct exposition *exposition);
void exposition_destroy(struct exposition *exposition);

#endif
