// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a request to ktallyd's HTTP server. What it takes of it must lie within it, however the bytes came in pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void within(struct http_text text, const char *data, size_t bytes)
{
	static const char root[] = "/";

	if (text.data && (text.data < data || text.data + text.bytes > data + bytes) && (text.bytes != 1 || memcmp(text.data, root, 1)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct http_request request, part;
	char *text = malloc(bytes ? bytes : 1);
	long whole;

	memcpy(text, data, bytes);
	whole = http_request_read(&request, text, bytes);
	if (whole > (long)bytes || (whole < 0 && (whole > -400 || whole < -599)))
		abort();
	if (whole > 0) {
		within(request.path, text, bytes);
		within(request.host, text, bytes);
		within(request.accept, text, bytes);
		if (!request.path.bytes || *request.path.data != '/' || whole < 4 || memcmp(text + whole - 4, "\r\n\r\n", 4))
			abort();
		http_host_is_local(request.host);
		if (http_accepts(request.accept, "text/plain", "0.0.4", true) > 1000 ||
		    http_accepts(request.accept, "application/openmetrics-text", "1.0.0", false) > 1000)
			abort();
	}
	/* A part of it may be refused sooner, but a good request's may not, and an answer that was given holds. */
	for (size_t cut = 0; cut < bytes && cut < 512; cut++) {
		long result = http_request_read(&part, text, cut);

		if (result && result != whole)
			abort();
	}
	free(text);
	return 0;
}
