/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files as other processes see them. A process may live in another mount namespace and may be hostile: it chooses
 * paths, puts symbolic links and devices there, and swaps files. So a path is resolved below the root of that process,
 * nothing but a regular file is ever opened, and a file counts only if it is the very one that is mapped.
 */
#ifndef KTALLY_PROC_H
#define KTALLY_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Root directory of a process as seen from here; pid 0: our own. A descriptor, or -errno. */
int proc_open_root(uint32_t pid);

/*
 * Opens a regular file for reading; path is resolved as if root were "/". A descriptor, or -errno; -EACCES: not a
 * regular file.
 */
int proc_open_in_root(int root, const char *path);

/*
 * The same of a path that a process chose, for a file on the device of this number: where that, or a file system of the host's own, is
 * left, nobody knows whether an answer ever comes (mounts.h): -EXDEV. Symbolic links are not followed, nor "..": -ELOOP.
 */
int proc_open_chosen(int root, const char *path, dev_t device);

/* Whether stat() of a file tells another device than /proc/PID/maps and the module do: of a part, or of a union of others. */
bool proc_makes_up_devices(int fd);

/* What is known of a mapped file from its line in /proc/PID/maps. */
struct proc_mapped {
	uint64_t start, end;
	uint32_t major, minor;
	uint64_t inode;
	const char *path;		/* as in the line, with " (deleted)" */
};

/*
 * Opens the file behind a mapping of a process that lives, else by its path here. A descriptor, or -errno; -ESTALE:
 * another file is there now.
 */
int proc_open_mapped(uint32_t pid, const struct proc_mapped *mapped, struct stat *status);

/* Only by its path here, as by proc_open_chosen(): no process is asked, and nothing that a process mounted. */
int proc_open_mapped_here(const struct proc_mapped *mapped, struct stat *status);

/* Whether a process runs the program of that path, as it sees it; its mappings are not locked for that. NULL: any. */
bool proc_runs(uint32_t pid, const char *executable);

/* Whether paths lead a process where they lead us: it has our mounts, and the root of them all for its root, as we have. */
bool proc_has_our_paths(uint32_t pid);

/*
 * Start time, in the kernel's clock ticks since it booted, and name of a thread. -ESRCH: gone. proc_ticks() gives a
 * CLOCK_BOOTTIME in nanoseconds in the same unit.
 */
int proc_read_thread(uint32_t pid, uint32_t tid, uint64_t *ticks, char *comm, size_t most);
uint64_t proc_ticks(uint64_t nanoseconds);

/*
 * Its effective user, as seen from here; in a user namespace, where a process may take any of the users that are mapped, who made the outermost
 * one, unless that was root, who gives a container users of its own: then the first of the 65 536 that the user is among. -ESRCH: gone.
 * The user is whom the directory of a process belongs to, also of one that is not dumpable,
 * unlike what is in it. The texts there are not asked: for status and stat the kernel takes hold of the memory, and whoever holds it last
 * has to let go of the files that were mapped, which may never end; and status names as many groups as the process likes.
 */
int proc_read_user(uint32_t pid, uint32_t *user);

/*
 * Whether a process was started without any environment. Until exec has come to where it says where that is, and when its memory
 * is gone, /proc/PID/environ is empty too.
 */
bool proc_lacks_environment(uint32_t pid);

#endif
