/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source lines and inlined functions, from DWARF, for those who ask: it takes much memory and time, so nothing else needs
 * it. By elfutils' libdw, which is given only what was checked to be a regular file of bounded size, and nothing to open
 * by itself: names of further files (.dwo, .gnu_debugaltlink) are the file's own, so they are not followed blindly. libdw
 * can crash all the same: cli/dwarf.h has it in a process of its own.
 */
#ifndef KTALLY_LINES_H
#define KTALLY_LINES_H

#include "symbols/elf.h"

/* Innermost first: what was inlined, then what it was inlined into, and so on; the last one is the function itself. */
struct line {
	const char *function;		/* as in the file, perhaps mangled; NULL: not known, and always for the last one */
	const char *file;		/* NULL: not known */
	unsigned int line;		/* 0: not known */
};

#define LINES_MOST	32		/* inlined into each other */

struct lines;

/*
 * Takes the file's own DWARF, else that of its debug file. 0; -ENOENT: there is none; -EFBIG: more than 512 MiB of it;
 * -EBADMSG.
 */
int lines_open(struct lines **lines, const struct elf_source *source, const char *path, int root);
void lines_close(struct lines *lines);

/* How many, 0: nothing is known of that address. Strings are valid until lines_close(). */
size_t lines_find(struct lines *lines, uint64_t address, struct line *list);

#endif
