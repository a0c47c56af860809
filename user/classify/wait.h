/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a task waited. There are thousands of stacks to wait in, and a dozen reasons that people ask for: a disk, the
 * network, a lock, or merely nothing to do. Causes are names in a hierarchy, as areas are:
 *
 *	io/disk			block devices and the file systems on them, writers held back by write-back
 *	io/network		TCP, UDP and the like, and file systems over them (NFS, CIFS, Ceph)
 *	io/pipe			pipes, FIFOs and message queues
 *	io/socket		sockets within the host: Unix domain, netlink
 *	io/other		terminals, FUSE, 9p, devices
 *	lock/futex		a lock of the program's own
 *	lock/rwsem, lock/mutex	locks of the kernel, whatever they protect
 *	lock/other		file locks, semaphores, grace periods, completions of which nothing else is known
 *	page fault		memory that had to be read first, whatever from
 *	sleep			the kernel pauses by itself
 *	stopped			by a signal, a debugger or a freezer
 *	run queue		it could have run
 *	idle/poll		for events: epoll, poll, select, io_uring, inotify ...
 *	idle/sleep		as long as it wanted to, or for a signal
 *	idle/futex		a thread with nothing to do until another one wakes it
 *	idle/process		for a child
 *	idle/kernel		a thread of the kernel with nothing to do
 *	other			nothing is known
 *
 * Those in "idle" are no one's loss by themselves: a server without requests spends all its time so.
 */
#ifndef KTALLY_WAIT_H
#define KTALLY_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/frame.h"

/* Of the time on the run queue that every wait ends with, and of tasks that were preempted, yielded or are new. */
#define WAIT_CAUSE_RUN_QUEUE	"run queue"

/* What the frames of a wait's stack say of its cause, interned; NULL: nothing. Once per stack. */
const char *wait_cause_of_stack(const struct stack *stack);

/*
 * Why the task was blocked, interned, never NULL: by what its stack says, else the system call (as syscall_name() says
 * it, or interned; NULL: none), else the state (KTALLY_OFFCPU_*).
 */
const char *wait_cause(const char *of_stack, uint32_t state, const char *syscall_name);

/* Waits for something to do: begins with "idle/". */
bool wait_is_idle(const char *cause);

#endif
