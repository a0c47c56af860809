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

/* What the command line says goes before the environment. The endpoint, to be freed, is part of the options. */
static int choose_options(const struct daemon_options *options, struct sender_options *sender, char **endpoint)
{
	*endpoint = demand_endpoint(options);
	*sender = (struct sender_options){
		.endpoint = *endpoint,
		.spool = options->spool, .spool_bytes = options->spool_bytes,
	};
	if (!options->otlp)
		sender->endpoint = NULL;
	else if (otlp_options_from_environment(sender, &otlp_profiles))
		return EXIT_USAGE;
	return EXIT_OK;
}

static int open_exporter(struct demand *demand, struct loop *loop, const struct daemon_options *daemon_options)
{
	struct sender_options options;
	char *endpoint;
	int code = choose_options(daemon_options, &options, &endpoint);

	if (code == EXIT_OK && options.endpoint)
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

static struct control_options options_of_control(const struct daemon_options *options)
{
	return (struct control_options){
		.path = options->control, .group = options->control_group, .may_fail = !options->control_asked, .daemon = options,
	};
}

static int open_control(struct demand *demand, struct loop *loop, const struct daemon_options *daemon_options)
{
	struct control_options options = options_of_control(daemon_options);

	options.send = demand->exporter ? send_profile : NULL;
	options.context = demand;
	return control_create(&demand->control, loop, &options);
}

/* Without a socket nothing is made ready to send with either. */
static int check_profile(bool has_control, bool has_exporter)
{
	if (!has_control)
		message_error("--profile: there is no control socket, which profiles need: give --control too");
	else if (!has_exporter)
		message_error("--profile: there is nowhere to send it to: give --endpoint too");
	return has_control && has_exporter ? EXIT_OK : EXIT_USAGE;
}

int demand_check(const struct daemon_options *options)
{
	const struct control_options control = options_of_control(options);
	struct sender_options sender = { .endpoint = NULL };
	char *endpoint = NULL;
	int code = EXIT_OK;

	if (options->control)
		code = choose_options(options, &sender, &endpoint);
	if (code == EXIT_OK)
		code = exporter_check(&sender);
	if (code == EXIT_OK && options->control)
		code = control_check(&control);
	if (code == EXIT_OK && options->profile)
		code = check_profile(options->control, sender.endpoint);
	free(endpoint);
	return code;
}

/* The daemon was told to take one, and not by anybody who asks. */
int demand_begin(struct demand *demand, const struct daemon_options *options)
{
	struct request request;
	int code;

	if (!options->profile)
		return EXIT_OK;
	code = check_profile(demand->control, demand->exporter);
	if (code != EXIT_OK)
		return code;
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
