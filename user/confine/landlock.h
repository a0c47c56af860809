/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files a process may write to, by their place. For processes that look at no other, see filter.h. */
#ifndef KTALLY_LANDLOCK_H
#define KTALLY_LANDLOCK_H

/*
 * From here on this thread, and what it starts, makes, removes and opens for writing nothing but what is below the directory. 0 or
 * -errno; -ENOSYS, -EOPNOTSUPP: this kernel has no Landlock (it came with Linux 5.13), or it is not switched on.
 */
int landlock_write_below(const char *directory);

#endif
