/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbols/lines.h in a process of its own. DWARF is a language, anybody can write a file with it, and libdw was not made
 * to withstand them (0.188 reads past the end of strings that do not end). There it may crash, or run out of memory or
 * time: then that file merely has no lines.
 */
#ifndef KTALLY_DWARF_H
#define KTALLY_DWARF_H

#include "symbols/lines.h"
#include "symbols/symbols.h"

struct dwarf;

struct dwarf *dwarf_open(const struct symbols_opened *opened);	/* NULL: there are no lines */
void dwarf_close(struct dwarf *dwarf);

/* As lines_find(); strings are valid until the next call. Once the process has failed there is nothing any more. */
size_t dwarf_find(struct dwarf *dwarf, uint64_t address, struct line *list);
bool dwarf_has_failed(const struct dwarf *dwarf);

#endif
