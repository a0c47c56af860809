/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the connection to a collector, see otlp_create() and its like in export.h. */
#ifndef KTALLY_OTLP_H
#define KTALLY_OTLP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "export/export.h"

/* ---- options ---- */

/* Appends "key: value" for each of "key=value,..." to the list. -EINVAL: not of that form, or with control characters. */
int otlp_headers(const char *text, struct curl_slist **list);

/* 0, or -EINVAL with a message. */
int otlp_check_options(const struct otlp_options *options);

/* ---- answers ---- */

#define OTLP_BODY_KEPT		(64U << 10)	/* bytes of an answer's body that are looked at */
#define OTLP_BODY_MOST		(4U << 20)	/* bytes of it that are read */
#define OTLP_HEADERS_MOST	(64U << 10)

enum otlp_verdict {
	OTLP_ACCEPTED,
	OTLP_TRY_AGAIN,		/* not now, or nobody knows whether it arrived */
	OTLP_REFUSED,		/* and would be again */
};

struct otlp_answer {
	enum otlp_verdict verdict;
	uint64_t rejected;		/* points that a collector does not want of what it accepted */
	char message[256];		/* what went wrong, or why points were rejected; printable, "" if nothing did */
};

/* What an answer over HTTP means: status, type of the content (may be NULL), as much of the body as was kept. */
void otlp_read_answer(struct otlp_answer *answer, long status, const char *type, const struct buffer *body);

/* What it means that there is none; `detail` is libcurl's text. */
void otlp_read_failure(struct otlp_answer *answer, CURLcode code, const char *detail);

/* ---- waiting between attempts ---- */

#define OTLP_GIVE_UP_MS		300000		/* after the first attempt */
#define OTLP_RETRY_AFTER_MS_MOST	3600000

/*
 * Milliseconds to the next attempt: five seconds, half as much again each time, up to thirty; spread by half to both
 * sides, so that hosts which failed together do not return together. *interval is 0 at first.
 */
uint64_t otlp_backoff(uint64_t *interval, uint32_t random);

#endif
