/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket, where whole profiles are asked for (control/request.h). Root, the daemon's own user and, if one is given, the
 * members of a group may; who they are is the kernel's word. One profile is taken at a time. Each request is a line in the log, with who
 * asked for what, and so is what became of it.
 */
#ifndef KTALLY_CONTROL_H
#define KTALLY_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#include "control/request.h"
#include "daemon/options.h"
#include "export/export.h"
#include "loop/loop.h"

struct control;

struct control_options {
	const char *path;
	const char *group;		/* NULL: none */
	const struct daemon_options *daemon;	/* what time is attributed to and counted for, of profiles too */
	bool may_fail;			/* nobody asked for the socket: go on without it */

	/* Takes requests of OTLP profiles that are to be sent. NULL: there is nowhere to send to. */
	export_request *send;
	void *context;
};

/* EXIT_OK, with *control NULL if it failed and may; else an exit code, after a message. */
int control_create(struct control **control, struct loop *loop, const struct control_options *options);

/* What of that can be known without listening. The same. */
int control_check(const struct control_options *options);

/* Takes a profile that the daemon itself was told to take; it is to be sent. What becomes of it is in the log. */
void control_take(struct control *control, const struct request *request);

/* Ends what is being taken, hangs up on everybody, removes the socket. */
void control_destroy(struct control *control);

#endif
