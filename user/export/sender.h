/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sender: what goes to one destination by HTTP, one batch a request, in the order in which it was submitted. It compresses, queues,
 * tries again and counts; what a batch has in it and what an answer to it means is its protocol's. It never blocks its caller, who waits
 * for its descriptors with whatever else it waits for and then calls sender_run().
 *
 * What waits is kept as queue.h has it: in memory, and on disk where there is a spool.
 *
 * A batch that did not get through stays at the head, and the ones behind it wait, as they would fare no better. It is tried until it is
 * accepted or refused, or until there is no room for it any more: then the oldest go, and are counted. Nobody tells a sender that its batch
 * arrived but an answer, so where an answer is lost a batch arrives twice.
 *
 *	struct sender_options options = { .protocol = &otlp_metrics.protocol, .endpoint = "http://localhost:4318/v1/metrics" };
 *	struct sender *sender = sender_create(&options);
 *
 *	sender_submit(sender, data, bytes, points);
 *	for (;;) {
 *		struct pollfd fds[SENDER_FDS_MOST];
 *
 *		poll(fds, sender_fds(sender, fds, SENDER_FDS_MOST), sender_timeout(sender));
 *		sender_run(sender);
 *	}
 */
#ifndef KTALLY_SENDER_H
#define KTALLY_SENDER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "export/queue.h"

/* ---- protocols ---- */

#define SENDER_BODY_KEPT	(64U << 10)	/* bytes of an answer's body that are looked at, if a protocol wants no more */
#define SENDER_BODY_MOST	(4U << 20)	/* bytes of it that are read: more is refused */
#define SENDER_HEADERS_MOST	(64U << 10)
#define SENDER_SHOWN_BYTES	160		/* where to stop showing what others say */

enum sender_verdict {
	SENDER_ACCEPTED,
	SENDER_PARTLY,			/* accepted, but for what select_rest() says */
	SENDER_TRY_AGAIN,		/* not now, or nobody knows whether it arrived */
	SENDER_REFUSED,			/* and would be again */
};

struct sender_answer {
	enum sender_verdict verdict;
	uint64_t rejected;		/* points that a destination does not want of what it accepted */
	char message[256];		/* what went wrong, or why points were rejected; printable, "" if nothing did */
};

struct sender_protocol {
	const char *name;		/* what is sent, for messages and directories: "metrics" */
	const char *content_type;
	size_t body_kept;		/* 0: SENDER_BODY_KEPT */

	/* What an answer over HTTP means: status, type of the content (may be NULL), as much of the body as was kept. It is hostile. */
	void (*read_answer)(struct sender_answer *answer, long status, const char *type, const struct buffer *body);

	/*
	 * After SENDER_PARTLY: what of the batch that was sent is to be sent again, as another batch. Appends it to `rest`, and returns its
	 * points. NULL for protocols that never say so.
	 */
	size_t (*select_rest)(struct buffer *rest, const struct buffer *sent, const struct buffer *body);
};

/* For protocols: 429, 502, 503, 504. */
bool sender_is_retryable(long status);

/* For protocols: the message of a request that failed, "HTTP 503: try later", made printable. said: a text, of which the first line is shown. */
void sender_describe(struct sender_answer *answer, long status, const char *said);

/* ---- senders ---- */

struct sender_options {
	const struct sender_protocol *protocol;
	const char *endpoint;		/* full URL */
	const char *method;		/* NULL: POST */
	const char *headers;		/* "k=v,k2=v2", values percent-encoded, or NULL */
	const char *certificate, *client_key, *client_certificate;	/* paths or NULL */
	const char *compression;	/* "gzip" (NULL too), "zstd", "none" */
	unsigned int timeout_ms;	/* of a request; 0: 10000 */
	const char *spool;		/* directory, for this sender alone; NULL: what waits is in memory only */
	uint64_t spool_bytes;		/* 0: QUEUE_SPOOL_DEFAULT */
};

struct sender_statistics {
	uint64_t requests, failures, retries;
	uint64_t batches_accepted;			/* also in part */
	uint64_t batches_refused, points_refused;
	uint64_t points_rejected;			/* of accepted batches: partial success */
	struct queue_statistics queue;			/* what waits, and what was lost of it */
	char last_error[256];				/* "" when the last request went well */
	char last_rejection[256];			/* what came with the last partial success, "" if none did */
};

#define SENDER_FDS_MOST	16

struct sender;

struct sender *sender_create(const struct sender_options *options);	/* NULL, with a message: the options cannot be used */
void sender_destroy(struct sender *sender);	/* what is not on disk is lost; waits for a slow disk for some seconds */

/* Queues a copy. -EMSGSIZE: more than the queue can ever take, dropped itself. Older ones may be dropped to make room; all that is, is counted. */
int sender_submit(struct sender *sender, const void *data, size_t bytes, size_t points);

int sender_timeout(struct sender *sender);	/* milliseconds until sender_run() wants to be called, -1: no need */
size_t sender_fds(struct sender *sender, struct pollfd *fds, size_t most);	/* what to poll for meanwhile */
void sender_run(struct sender *sender);		/* moves things on; call when a descriptor is ready or the time is up */
bool sender_idle(const struct sender *sender);	/* nothing queued or under way */
bool sender_is_safe(const struct sender *sender);	/* all that is queued is on disk, and sent by the next run if not by this one */
void sender_get_statistics(const struct sender *sender, struct sender_statistics *statistics);

#endif
