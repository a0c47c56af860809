// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a request to ktallyd: what is taken is within bounds, and says the same when it is written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct request *request)
{
	const struct session_options *session = &request->session;

	if (!request->duration || request->duration > REQUEST_DURATION_MOST || !session->rate || session->rate > KTALLY_RATE_MAX ||
	    session->pid_count > KTALLY_PIDS_MAX || session->cgroup_count > KTALLY_CGROUPS_MAX ||
	    request->output_count > REQUEST_OUTPUTS_MOST || strlen(request->process) >= sizeof(request->process) ||
	    (!request->output_count && !request->send))
		abort();
	for (uint32_t i = 0; i < session->pid_count; i++) {
		if (session->pids[i] <= 0)
			abort();
	}
	for (size_t i = 0; i < request->output_count; i++) {
		if (!request->outputs[i].format || !request->outputs[i].sources)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct buffer text = { 0 }, again = { 0 };
	struct request request;

	if (!request_read(&request, (const char *)data, bytes)) {
		check(&request);
		request_describe(&request, &again);
		buffer_clear(&again);
		request_write(&request, &text);
		if (request_read(&request, text.data, text.bytes))
			abort();
		request_write(&request, &again);
		if (strcmp(text.data, again.data))
			abort();
	}
	buffer_free(&text);
	buffer_free(&again);
	return 0;
}
