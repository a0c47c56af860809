/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a session on /dev/ktally. Everything that can be in its way (no module, another version, no rights, lockdown, too many
 * sessions, no memory) gets a message with its cause and its cure here, once for all programs.
 */
#ifndef KTALLY_SESSION_H
#define KTALLY_SESSION_H

#include "lib/libktally.h"
#include "session/options.h"

#define SESSION_DEVICE_FLAGS	(O_RDWR | O_CLOEXEC)	/* that KTALLY_DEVICE_PATH is opened with */

/*
 * Opens and sets up, not yet enabled. EXIT_OK, or the exit code after a message. options->kernel is turned off, with a warning,
 * where kernel frames are not allowed; options->rate and options->left_out are filled in.
 */
int session_open(struct ktally_session **session, struct session_options *options);

/* Whether this host can have the CPUs that are asked for, which does not take the module. The same; options->cpus is filled in for all. */
int session_check_cpus(struct session_options *options);

/* ktally_flush(), which the module admits only so often: waits until it does. 0 or -errno. */
int session_flush(struct ktally_session *session, unsigned int flags);

/* ktally_enable() with a message. EXIT_OK or an exit code. */
int session_enable(struct ktally_session *session);

/* Why ktally_wait() or another call on a running session failed: says it. EXIT_FAILED. */
int session_failed(int error);

/* Whether the administrator switched all sampling off: sessions go on, without samples. */
bool session_is_switched_off(void);

const char *session_clock_name(uint32_t clock);		/* of KTALLY_CLOCK_*: "the timer" */

#endif
