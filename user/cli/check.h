/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges a host. */
#ifndef KTALLY_CHECK_COMMAND_H
#define KTALLY_CHECK_COMMAND_H

#include "base/buffer.h"
#include "cli/host.h"

/* One or more lines for each thing that matters; for what is lacking, what to do. The exit code that follows. */
int check_write(struct buffer *text, const struct host *host);

#endif
