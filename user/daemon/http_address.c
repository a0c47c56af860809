// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/number.h"
#include "daemon/http_server.h"

#define ADDRESS_BYTES_MOST 64
#define UNIX "unix:"

static int take_address(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	*address = (struct sockaddr_storage){ .ss_family = AF_INET };
	if (inet_pton(AF_INET, strcmp(text, "localhost") ? text : "127.0.0.1", &in->sin_addr) == 1)
		return 0;
	address->ss_family = AF_INET6;
	return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int take_path(const char *path, struct sockaddr_storage *address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)address;

	if (*path != '/' || strlen(path) >= sizeof(un->sun_path))
		return -EINVAL;
	*address = (struct sockaddr_storage){ .ss_family = AF_UNIX };
	strcpy(un->sun_path, path);
	return 0;
}

int http_address_parse(const char *text, struct sockaddr_storage *address)
{
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	char host[ADDRESS_BYTES_MOST] = "127.0.0.1";
	bool bracketed = *text == '[';
	uint64_t number;

	if (!strncmp(text, UNIX, strlen(UNIX)))
		return take_path(text + strlen(UNIX), address);
	if (colon) {
		size_t bytes = (size_t)(colon - text) - (bracketed ? 2 : 0);

		if (bracketed && (colon < text + 3 || colon[-1] != ']'))
			return -EINVAL;
		/* Without brackets nobody could tell an address's last part from a port. */
		if (!bracketed && memchr(text, ':', (size_t)(colon - text)))
			return -EINVAL;
		if (!bytes || bytes >= sizeof(host))
			return -EINVAL;
		memcpy(host, text + bracketed, bytes);
		host[bytes] = '\0';
	}
	if (number_parse(port, 0, 65535, &number) || take_address(host, address))
		return -EINVAL;
	if ((address->ss_family == AF_INET6) != bracketed)
		return -EINVAL;
	/* In the same place in both. */
	((struct sockaddr_in *)address)->sin_port = htons((uint16_t)number);
	return 0;
}

bool http_address_is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (address->ss_family != AF_INET6)
		return false;
	/* ::ffff:127.0.0.1 is the other family's. */
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return in6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

unsigned int http_address_port(const struct sockaddr_storage *address)
{
	return http_address_path(address) ? 0 : ntohs(((const struct sockaddr_in *)address)->sin_port);
}

const char *http_address_path(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_UNIX ? ((const struct sockaddr_un *)address)->sun_path : NULL;
}
