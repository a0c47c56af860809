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

/*
 * Start time, in the kernel's clock ticks since it booted, and name of a thread. -ESRCH: gone. proc_ticks() gives a
 * CLOCK_BOOTTIME in nanoseconds in the same unit.
 */
int proc_read_thread(uint32_t pid, uint32_t tid, uint64_t *ticks, char *comm, size_t most);
uint64_t proc_ticks(uint64_t nanoseconds);

/*
 * Whether a process was started without any environment. Until exec has come to where it says where that is, and when its memory
 * is gone, /proc/PID/environ is empty too.
 */
bool proc_lacks_environment(uint32_t pid);

#endif
