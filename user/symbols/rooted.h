/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A path of another process, resolved as if that process' root were "/", one component after the other.
 *
 * openat2() with RESOLVE_IN_ROOT would do the same in one call. But a filter of system calls cannot see the flags that it takes
 * through a pointer, so whoever is allowed openat2() may open anything for writing; see confine/filter.h. It is also refused in
 * many containers.
 *
 * Nothing is followed by the kernel: a symbolic link is read and its text goes on from the directory it is in, or from the root;
 * so links of /proc, whose text is only a name, lead no further than that name does below the root. ".." is never looked up,
 * as a directory that is moved meanwhile has another parent: the path walked so far loses its last name and is walked again.
 */
#ifndef KTALLY_ROOTED_H
#define KTALLY_ROOTED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A descriptor with O_PATH, of whatever sort of file it is, but never of a symbolic link. Else -errno: -ELOOP: too many links, or a
 * walk that takes too many steps; -ENAMETOOLONG: the path, with what its links say, is too long.
 */
int rooted_open(int root, const char *path);

/* Which mounts a path may lead to, by their numbers in /proc/self/mountinfo. */
struct rooted_border {
	bool (*may_enter)(void *context, uint64_t mount);
	void *context;
};

/*
 * The same of a path that is to be taken by its letter: links and ".." are -ELOOP. It ends with -EXDEV where it comes to another
 * mount: after that was entered, which asks nobody, and before anything is looked for there or asked of it.
 */
int rooted_open_within(int root, const char *path, const struct rooted_border *border);

#endif
