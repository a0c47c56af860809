// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "daemon/access.h"
#include "daemon/exposition.h"

struct pages {
	struct http_body bodies[2];
	unsigned int newest;
	uint64_t made;			/* ms; 0: never */
};

struct exposition {
	struct http_server *server;
	exposition_writer *writer;
	void *context;
	struct access access;
	struct pages pages[PROMETHEUS_FORMATS];
};

static struct http_body *page(struct exposition *exposition, enum prometheus_format format)
{
	struct pages *pages = &exposition->pages[format];
	uint64_t now = loop_now() / 1000000;
	unsigned int place = !pages->newest;

	if (pages->made && now - pages->made < EXPOSITION_FRESH_MS)
		return &pages->bodies[pages->newest];
	if (pages->bodies[place].users)
		place = pages->newest;
	if (!pages->bodies[place].users) {
		buffer_clear(&pages->bodies[place].text);
		exposition->writer(exposition->context, &pages->bodies[place].text, format);
		pages->newest = place;
		pages->made = now;
	}
	return &pages->bodies[pages->newest];
}

/* The older format unless the client says that it likes the newer one better. */
static enum prometheus_format negotiate(struct http_text accept)
{
	unsigned int text = http_accepts(accept, "text/plain", "0.0.4", true);
	unsigned int open = http_accepts(accept, "application/openmetrics-text", "1.0.0", false);

	return open > text ? PROMETHEUS_OPENMETRICS : PROMETHEUS_TEXT;
}

static void answer(void *context, const struct http_request *request, struct http_answer *answer)
{
	struct exposition *exposition = context;
	enum prometheus_format format = negotiate(request->accept);

	if (!access_allows(&exposition->access, request->authorization)) {
		answer->status = HTTP_UNAUTHORIZED;
		answer->why = "the token is missing or wrong";
		return;
	}
	if (request->path.bytes != strlen("/metrics") || memcmp(request->path.data, "/metrics", strlen("/metrics"))) {
		answer->status = HTTP_NOT_FOUND;
		answer->why = "metrics are at /metrics";
		return;
	}
	answer->status = HTTP_OK;
	answer->type = prometheus_types[format];
	answer->body = page(exposition, format);
}

static int failed_path(const char *path, int error)
{
	if (error == -EADDRINUSE)
		message_error("--prometheus: somebody listens at %s: give another path, or end that", path);
	else if (error == -EPERM)
		message_error("--prometheus-group: ktallyd must be a member of the group itself, or run as root");
	else
		message_error("--prometheus: cannot make the socket %s: %s", path, strerror(-error));
	return EXIT_FAILED;
}

static int failed(const struct sockaddr_storage *address, int error)
{
	const unsigned int port = http_address_port(address);

	if (http_address_path(address))
		return failed_path(http_address_path(address), error);
	if (error == -EADDRINUSE)
		message_error("--prometheus: something else serves port %u: give another one, or end that", port);
	else if (error == -EADDRNOTAVAIL)
		message_error("--prometheus: this host does not have that address: give one that it has, or the port alone");
	else if (error == -EACCES)
		message_error("--prometheus: port %u is for others (below 1024 CAP_NET_BIND_SERVICE is needed): give a higher one",
			      port);
	else
		message_error("--prometheus: cannot serve metrics at port %u: %s", port, strerror(-error));
	return EXIT_FAILED;
}

static int find_group(const struct exposition_options *options, gid_t *found)
{
	const struct group *group = options->group ? getgrnam(options->group) : NULL;

	*found = group ? group->gr_gid : (gid_t)-1;
	if (!options->group || (group && http_address_path(&options->address)))
		return EXIT_OK;
	if (group)
		message_error("--prometheus-group: only a path has a group: give --prometheus unix:/PATH, or --prometheus-token for a port");
	else
		message_error("--prometheus-group: there is no group \"%s\"", options->group);
	return EXIT_USAGE;
}

static void tell_where(const struct exposition *exposition, const struct exposition_options *options)
{
	const char *name = http_server_name(exposition->server);
	bool has_token = options->token;

	if (http_address_path(&options->address)) {
		message_info("serving metrics at the socket %s, /metrics", name);
		return;
	}
	message_info("serving metrics at http://%s/metrics%s", name, has_token ? ", for who has the token" : "");
	if (!http_address_is_loopback(&options->address))
		message_warning("whoever reaches %s can read them%s: they name this host's programs", name,
				has_token ? " and the token, if he listens on the way" : ", without a password");
}

int exposition_create(struct exposition **result, struct loop *loop, const struct exposition_options *options,
		      exposition_writer *writer, void *context)
{
	struct exposition *exposition = memory_zeroed(1, sizeof(*exposition));
	gid_t group;
	int error = 0, code = find_group(options, &group);

	exposition->writer = writer;
	exposition->context = context;
	exposition->access.path = options->token;
	if (code == EXIT_OK)
		code = access_read(&exposition->access);
	if (code == EXIT_OK)
		error = http_server_create(&exposition->server, loop, &options->address, group, answer, exposition);
	if (error)
		code = failed(&options->address, error);
	if (code != EXIT_OK) {
		free(exposition);
		return code;
	}
	tell_where(exposition, options);
	*result = exposition;
	return EXIT_OK;
}

int exposition_check(const struct exposition_options *options, struct loop *loop, bool *in_use)
{
	struct access access = { .path = options->token };
	struct http_server *server = NULL;
	gid_t group;
	int error = 0, code = find_group(options, &group);

	if (code == EXIT_OK)
		code = access_read(&access);
	explicit_bzero(access.token, sizeof(access.token));
	if (code == EXIT_OK)
		error = http_server_create(&server, loop, &options->address, group, NULL, NULL);
	if (!error)
		http_server_destroy(server);
	*in_use &= error == -EADDRINUSE;
	return error && !*in_use ? failed(&options->address, error) : code;
}

void exposition_reload(struct exposition *exposition)
{
	if (exposition)
		access_read(&exposition->access);
}

void exposition_destroy(struct exposition *exposition)
{
	if (!exposition)
		return;
	http_server_destroy(exposition->server);
	explicit_bzero(exposition->access.token, sizeof(exposition->access.token));
	for (unsigned int format = 0; format < PROMETHEUS_FORMATS; format++) {
		buffer_free(&exposition->pages[format].bodies[0].text);
		buffer_free(&exposition->pages[format].bodies[1].text);
	}
	free(exposition);
}
