/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process of a profile on demand does, from its beginning to its end; see profiling.h. */
#ifndef KTALLY_TAKER_H
#define KTALLY_TAKER_H

#include "daemon/profiling.h"

/* Its exit code tells how it went; what it says goes to `messages` too. Everything it takes is given back by its end. */
__attribute__((noreturn)) void taker_run(const struct request *request, const struct daemon_options *daemon,
					   const struct profiling *files, int messages);

#endif
