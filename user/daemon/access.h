/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may read the metrics, when not everybody who reaches their address may: who shows a token, as Prometheus does by `authorization`. */
#ifndef KTALLY_ACCESS_H
#define KTALLY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/http_request.h"

/* What nobody guesses, at the rate that the server answers (HTTP_WORK_MOST), to what fits a request. */
#define ACCESS_TOKEN_LEAST	16
#define ACCESS_TOKEN_MOST	512

struct access {
	const char *path;		/* NULL: no token is asked for */
	char token[ACCESS_TOKEN_MOST];
	size_t bytes;
};

/*
 * Reads the token: the file's first and only line, of ACCESS_TOKEN_LEAST to ACCESS_TOKEN_MOST printable characters without spaces; not
 * from a file that everybody may read. EXIT_OK, or an exit code after a message; then the token that was read before goes on.
 */
int access_read(struct access *access);

/* By the value of the header Authorization. Takes as long whatever the first wrong character is. */
bool access_allows(const struct access *access, struct http_text authorization);

#endif
