/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capabilities that reading other processes takes, and none beside these, whoever starts the program. What each buys is in
 * capabilities.c and in ktallyd(8), under CAPABILITIES.
 */
#ifndef KTALLY_CAPABILITIES_H
#define KTALLY_CAPABILITIES_H

#include <stdint.h>
#include <linux/capability.h>

/* Newer than some headers. */
#ifndef CAP_PERFMON
#define CAP_PERFMON		38
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE	40
#endif

#define CAPABILITY(number)	(1ULL << (number))
#define CAPABILITIES_OF_READER	(CAPABILITY(CAP_PERFMON) | CAPABILITY(CAP_SYSLOG) | CAPABILITY(CAP_SYS_PTRACE) | \
				 CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_CHECKPOINT_RESTORE))

/*
 * Gives up all others for good, those that a program started later would get as well; before there are threads, as each has its own.
 * 0 or -errno: where nothing is to be given up, nothing is tried.
 */
int capabilities_keep(uint64_t wanted);

/* Says in one message what is not done for the lack of a capability; nothing when all are there. */
void capabilities_tell_missing(void);

#endif
