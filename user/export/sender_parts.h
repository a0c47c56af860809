/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of a sender, see sender.h. */
#ifndef KTALLY_SENDER_PARTS_H
#define KTALLY_SENDER_PARTS_H

#include <curl/curl.h>

#include "export/sender.h"

/* ---- options ---- */

/* Appends "key: value" for each of "key=value,..." to the list. -EINVAL: not of that form, or with control characters. */
int sender_headers(const char *text, struct curl_slist **list);

/* 0, or -EINVAL with a message. */
int sender_check_options(const struct sender_options *options);

/* ---- answers ---- */

/* What it means that there is none; `detail` is libcurl's text. */
void sender_read_failure(struct sender_answer *answer, CURLcode code, const char *detail);

/* ---- waiting between attempts ---- */

#define SENDER_RETRY_AFTER_MS_MOST	3600000

/*
 * Milliseconds to the next attempt: five seconds, half as much again each time, up to thirty; spread by half to both
 * sides, so that hosts which failed together do not return together. *interval is 0 at first.
 */
uint64_t sender_backoff(uint64_t *interval, uint32_t random);

#endif
