/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's functions, its modules' and those of loaded BPF programs, from the text of /proc/kallsyms: this host's
 * or a recorded one.
 */
#ifndef KTALLY_KALLSYMS_H
#define KTALLY_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/table.h"

struct kallsyms {
	struct table table;
	struct kallsyms_range *ranges;		/* whose the addresses are from here on, sorted */
	size_t range_count;
};

/* 0; -EPERM: the addresses are hidden; -EBADMSG: no symbols. */
int kallsyms_parse(struct kallsyms *kallsyms, const char *text, size_t bytes);
void kallsyms_free(struct kallsyms *kallsyms);

/* Name and start of the function, NULL if none; *object gets "[kernel]" or "[MODULE]" in any case. */
const char *kallsyms_find(const struct kallsyms *kallsyms, uint64_t address, uint64_t *start, const char **object);
bool kallsyms_has(const struct kallsyms *kallsyms, const char *name, bool prefix);

#endif
