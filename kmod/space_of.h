/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which address space a process has now, by the id that samples name it by. So a consumer can read a process's memory
 * and know that it was the sampled one's: before and after the read the process must have that id. A process id may be
 * used again, and a process may execute another program; either makes another id.
 *
 * Reading is left to process_vm_readv(), which asks the security modules and Yama whether the caller may: the kernel
 * keeps that question from modules, so a read of our own would be one that nobody was asked about.
 *
 * Why two ids that are equal enclose a read: of what execve() does, the id changes under the same lock
 * (signal->exec_update_lock) as the address space, and process_vm_readv() takes the address space under that lock. So
 * who got the new one finds the new id afterwards, and who got the old one read what the old id stands for.
 */
#ifndef KTALLY_SPACE_OF_H
#define KTALLY_SPACE_OF_H

#include <linux/types.h>

struct ktally_session;

/*
 * Process context; the session is set up. @pid is of a process or thread in the caller's pid namespace. -ESRCH: there
 * is none that the session may sample, or it has no address space.
 */
int ktally_space_of(const struct ktally_session *session, u32 pid, u64 *mm_id);

#endif /* KTALLY_SPACE_OF_H */
