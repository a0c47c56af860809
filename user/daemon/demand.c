// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/message.h"
#include "daemon/control.h"
#include "daemon/demand.h"
#include "daemon/exporter.h"
#include "export/otlp.h"

struct demand {
	struct control *control;	/* NULL: nobody can ask */
	struct exporter *exporter;	/* NULL: there is nowhere to send to */
};

char *demand_endpoint(const struct daemon_options *options)
{
	const char *metrics = options->profiles_beside;
	size_t bytes = metrics ? strlen(metrics) : 0, path = strlen(otlp_metrics.path);
	struct buffer endpoint = { 0 };

	if (options->profiles_endpoint)
		return memory_string(options->profiles_endpoint);
	if (bytes <= path || strcmp(metrics + bytes - path, otlp_metrics.path) || metrics[bytes - path - 1] != '/')
		return NULL;
	buffer_append(&endpoint, metrics, bytes - path);
	buffer_string(&endpoint, otlp_profiles.path);
	return endpoint.data;
}

/* What the command line says goes before the environment. */
static int open_exporter(struct demand *demand, struct loop *loop, const struct daemon_options *daemon_options)
{
	char *endpoint = demand_endpoint(daemon_options);
	struct sender_options options = {
		.endpoint = endpoint,
		.spool = daemon_options->spool, .spool_bytes = daemon_options->spool_bytes,
	};
	int code = EXIT_OK;

	if (daemon_options->otlp && otlp_options_from_environment(&options, &otlp_profiles))
		code = EXIT_USAGE;
	else if (daemon_options->otlp && options.endpoint)
		code = exporter_create(&demand->exporter, loop, &options);
	free(endpoint);
	return code;
}

static int send_profile(void *context, const struct buffer *request, size_t samples)
{
	struct demand *demand = context;

	exporter_submit(demand->exporter, request, samples);
	return 0;
}

static int open_control(struct demand *demand, struct loop *loop, const struct daemon_options *daemon_options)
{
	const struct control_options options = {
		.path = daemon_options->control, .group = daemon_options->control_group, .may_fail = !daemon_options->control_asked,
		.daemon = daemon_options,
		.send = demand->exporter ? send_profile : NULL, .context = demand,
	};

	return control_create(&demand->control, loop, &options);
}

/* The daemon was told to take one, and not by anybody who asks. */
int demand_begin(struct demand *demand, const struct daemon_options *options)
{
	struct request request;

	if (!options->profile)
		return EXIT_OK;

	/* Without a socket nothing was made ready to send with either. */
	if (!demand->control) {
		message_error("--profile: there is no control socket, which profiles need: give --control too");
		return EXIT_USAGE;
	}
	if (!demand->exporter) {
		message_error("--profile: there is nowhere to send it to: give --endpoint too");
		return EXIT_USAGE;
	}
	request_init(&request);
	request.duration = options->profile;
	request.session.rate = options->profile_rate;
	request.session.off_cpu = options->session.off_cpu;
	request.session.kernel = options->session.kernel;
	request.send = true;
	control_take(demand->control, &request);
	return EXIT_OK;
}

int demand_create(struct demand **result, struct loop *loop, const struct daemon_options *options)
{
	struct demand *demand = memory_zeroed(1, sizeof(*demand));
	int code = EXIT_OK;

	if (options->control)
		code = open_exporter(demand, loop, options);
	if (code == EXIT_OK && options->control)
		code = open_control(demand, loop, options);
	if (code == EXIT_OK)
		*result = demand;
	else
		demand_destroy(demand);
	return code;
}

void demand_finish(struct demand *demand, uint64_t milliseconds, const bool *impatient)
{
	control_destroy(demand->control);
	demand->control = NULL;
	if (demand->exporter)
		exporter_finish(demand->exporter, milliseconds, impatient);
}

void demand_destroy(struct demand *demand)
{
	if (!demand)
		return;
	control_destroy(demand->control);
	exporter_destroy(demand->exporter);
	free(demand);
}
