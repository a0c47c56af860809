/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vdso as a file: code that the kernel maps into every process, at an address of its own in
 * each, and that belongs to no file. Programs that ask for the time run there a good part of their
 * time. Were its frames addresses, one stack would be as many as there are processes, none of them
 * could be unwound, for a table is of a file, and those of a process that is gone would have no
 * names.
 *
 * So its image is copied into a file in memory, and that is known like any other (files.h): it gets
 * a number when it is sampled, a consumer can have it opened, and load a table. Only the vdso of
 * 64-bit programs is known, as soon as a consumer is one: whichever came first would choose for all.
 * Without it, frames in the vdso stay addresses.
 */
#ifndef KTALLY_VDSO_H
#define KTALLY_VDSO_H

#include <linux/types.h>

struct file;
struct ktally_mapping;
struct mm_struct;

/* The path that is told of it, which is that of its mapping in /proc/PID/maps. */
#define KTALLY_VDSO_PATH "[vdso]"

/*
 * Process context, by turns, within the life of the files (ktally_files_start()): with each session. No view is had
 * when it stops. Without memory there is no vdso, until there is.
 */
void ktally_vdso_start(void);
void ktally_vdso_stop(void);

/*
 * Interrupts off, not NMI: whether the address is in it. Fills in the range and the file of the
 * mapping, which is held.
 */
bool ktally_vdso_find(struct mm_struct *mm, unsigned long address, struct ktally_mapping *mapping);

/* Process context. Also of another struct file of the same path. */
bool ktally_vdso_is(const struct file *file);

#endif /* KTALLY_VDSO_H */
