// SPDX-License-Identifier: GPL-2.0-or-later
/* ktallyd: samples a host without end and exports what its CPUs did. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/message.h"
#include "daemon/daemon.h"
#include "daemon/taker.h"

int main(int argc, char **argv)
{
	struct daemon_options options;
	struct daemon *daemon;
	int code;

	message_program = "ktallyd";
	if (argc == 2 && !strcmp(argv[1], TAKER_ARGUMENT))
		taker_run();
	code = daemon_options_parse(&options, argc, argv);
	if (code >= 0)
		return code;

	/* What it writes has addresses of the kernel and names of everybody's programs. */
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);

	code = daemon_create(&daemon, &options);
	if (code == EXIT_OK) {
		code = daemon_run(daemon);
		daemon_destroy(daemon);
	}
	daemon_options_release(&options);
	if (fflush(stdout) && code == EXIT_OK) {
		message_error("cannot write to standard output: %s", strerror(errno));
		code = EXIT_FAILED;
	}
	return code;
}
