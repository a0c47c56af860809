/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What OpenTelemetry's variables of the environment (OTEL_*) say of the daemon's options. They go before the configuration file, and
 * behind the command line. As OpenTelemetry has it, empty is unset, and what cannot be read is ignored with a warning.
 */
#ifndef KTALLY_DAEMON_VARIABLES_H
#define KTALLY_DAEMON_VARIABLES_H

#include "daemon/options.h"

void variables_read(struct daemon_options *options);

#endif
