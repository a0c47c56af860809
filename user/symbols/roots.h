/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Below which roots the debug file of a sampled file may be. Ours comes first: what is installed here is more to be trusted than
 * what a process shows. A container's has it in its own /usr/lib/debug, though, beside the very file that was sampled, and which
 * process that is nobody tells. So any process will do that has this file at this path below a root that is not ours.
 */
#ifndef KTALLY_ROOTS_H
#define KTALLY_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/symbols.h"

struct roots {
	int fds[2];
	size_t count;
	bool leads_here;	/* below ours, the file's path leads to it */
};

/* Reads all of /proc for a file that is not at its path here: not for a loop that others wait for. */
void roots_open(struct roots *roots, const struct symbols_file *file);
void roots_close(const struct roots *roots);

#endif
