/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process of a profile on demand does, from its beginning to its end; see profiling.h. It is ktallyd, executed anew, so that it
 * has nothing of the daemon's memory: neither what others were sampled at, nor credentials of collectors, nor where anything is. It gets
 * open files, and a few variables of the environment.
 */
#ifndef KTALLY_TAKER_H
#define KTALLY_TAKER_H

/* Its only argument, and its descriptors: what to do, what it says, and then the outputs, the batches if any, the cgroups, and the device
 * unless the order says why there is none. */
#define TAKER_ARGUMENT		"--take-profile-of-daemon"
#define TAKER_ORDER		3
#define TAKER_MESSAGES		4
#define TAKER_OUTPUTS		5

#define TAKER_END		'\0'	/* in what it says; no message has one */

#define TAKER_VARIABLES_MOST	16

/* What it gets of the environment: pointers into ours, and NULL. */
void taker_environment(char **variables);

/*
 * Its exit code tells how it went; what it says goes to TAKER_MESSAGES too, and at last TAKER_END and the exit code as a byte: the kernel may
 * keep the process for longer, for a file that does not answer. Everything it takes is given back by its end.
 */
__attribute__((noreturn)) void taker_run(void);

#endif
