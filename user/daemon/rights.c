// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <netinet/in.h>

#include "base/message.h"
#include "capture/capture.h"
#include "confine/capabilities.h"
#include "confine/confine.h"
#include "confine/opener.h"
#include "daemon/http_server.h"
#include "daemon/lines.h"
#include "daemon/rights.h"
#include "export/export.h"
#include "session/session.h"
#include "symbols/download.h"

/* What is opened again while it runs: for a profile, after logrotate, at each export. */
static void name_files(const struct daemon_options *options)
{
	opener_name(KTALLY_DEVICE_PATH, SESSION_DEVICE_FLAGS);
	opener_name(options->json_lines, LINES_FLAGS);
	opener_name(options->metrics_json, EXPORT_METRICS_FLAGS);
	opener_name(options->capture, CAPTURE_FLAGS);
}

/* The filter has no calls that these would be of use for afterwards. */
static uint64_t needed_at_first(const struct daemon_options *options)
{
	uint64_t needed = options->control_group || options->exposition.group ? CAPABILITY(CAP_CHOWN) : 0;
	const unsigned int port = http_address_port(&options->exposition.address);

	if (options->prometheus && port && port < IPPORT_RESERVED)
		needed |= CAPABILITY(CAP_NET_BIND_SERVICE);
	return needed;
}

int rights_begin(const struct daemon_options *options)
{
	if (!options->session.confine)
		return EXIT_OK;
	name_files(options);
	if (download_apart())
		return EXIT_FAILED;
	return confine_begin(needed_at_first(options));
}

int rights_end(const struct daemon_options *options)
{
	int code = options->session.confine ? confine_end() : EXIT_OK;

	if (!options->session.confine)
		message_warning("--no-confine: whoever rules this process by a hostile file may write to every process of the host");
	if (code == EXIT_OK)
		capabilities_tell_missing();
	return code;
}
