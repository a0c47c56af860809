/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of an ELF file into a draft: from a symbol table, and the stubs through which it calls other files. */
#ifndef KTALLY_SYMTAB_H
#define KTALLY_SYMTAB_H

#include <stdbool.h>

#include "symbols/elf.h"
#include "symbols/table.h"

/*
 * The table is the section of that type, SHT_SYMTAB or SHT_DYNSYM; a file without one, or with a broken one, adds
 * nothing. Sets *rust when it has functions that every Rust program has. public_only: leave out local functions, when
 * all together are too many.
 */
void symtab_read(const struct elf *elf, uint32_t type, bool public_only, struct draft *draft, bool *rust);

/* "puts@plt" for each stub of the procedure linkage table (x86-64). */
void plt_read(const struct elf *elf, struct draft *draft);

/* What a Go program tells of itself, whether it was stripped or not (x86-64, Go 1.16 and later). Whether it did. */
bool pclntab_read(const struct elf *elf, struct draft *draft);

#endif
