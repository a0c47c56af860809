/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that no compiler wrote, so that often nothing describes it: where a process begins (the dynamic linker's is the
 * foot of every stack until main() is called), and the stubs of the procedure linkage table, which LLVM's link editor
 * writes without a word. Both are recognized by what they are.
 */
#ifndef KTALLY_UNWIND_LINKER_H
#define KTALLY_UNWIND_LINKER_H

#include "unwind/index.h"
#include "unwind/rows.h"

/* Adds what earlier sources did not tell of. */
void linker_index(const struct elf *elf, struct index *index, unsigned int source);
void linker_run(uint32_t kind, struct rows *rows);

#endif
