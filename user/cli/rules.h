/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ktally check --rules: which patterns of the built-in rules match no function of a kernel. Rules are for many releases, so some are
 * always idle; an area or a cause with none that match is one that this kernel's time is never counted for.
 */
#ifndef KTALLY_CLI_RULES_H
#define KTALLY_CLI_RULES_H

#include "base/buffer.h"

/* kallsyms: text as /proc/kallsyms and System.map have it. How many areas and causes are without any pattern that matches. */
size_t rules_write(struct buffer *text, const char *kallsyms, size_t bytes);

#endif
