// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
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

	if (request->path.bytes != strlen("/metrics") || memcmp(request->path.data, "/metrics", strlen("/metrics"))) {
		answer->status = HTTP_NOT_FOUND;
		answer->why = "metrics are at /metrics";
		return;
	}
	answer->status = HTTP_OK;
	answer->type = prometheus_types[format];
	answer->body = page(exposition, format);
}

static int failed(const struct sockaddr_storage *address, int error)
{
	const unsigned int port = http_address_port(address);

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

int exposition_create(struct exposition **result, struct loop *loop, const struct sockaddr_storage *address,
		      exposition_writer *writer, void *context)
{
	struct exposition *exposition = memory_zeroed(1, sizeof(*exposition));
	int error;

	exposition->writer = writer;
	exposition->context = context;
	error = http_server_create(&exposition->server, loop, address, answer, exposition);
	if (error) {
		free(exposition);
		return failed(address, error);
	}
	message_info("serving metrics at http://%s/metrics", http_server_name(exposition->server));
	if (!http_address_is_loopback(address))
		message_warning("whoever reaches %s can read them, without a password: they name this host's programs",
				http_server_name(exposition->server));
	*result = exposition;
	return EXIT_OK;
}

void exposition_destroy(struct exposition *exposition)
{
	if (!exposition)
		return;
	http_server_destroy(exposition->server);
	for (unsigned int format = 0; format < PROMETHEUS_FORMATS; format++) {
		buffer_free(&exposition->pages[format].bodies[0].text);
		buffer_free(&exposition->pages[format].bodies[1].text);
	}
	free(exposition);
}
