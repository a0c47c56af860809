/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What names of functions and system calls say of a wait. Of the rules of a table that a name matches, the first one
 * holds: the particular stand before the general ("fuse_dev_*" before "fuse_*").
 *
 * A function that is in no rule says nothing: so do those that wait for whatever their caller wants (folio_wait_bit(),
 * wait_woken(), __skb_wait_for_more_packets()), on purpose.
 */
#ifndef KTALLY_WAIT_RULES_H
#define KTALLY_WAIT_RULES_H

enum wait {
	WAIT_UNKNOWN,
	WAIT_SCHEDULE,		/* leaves the CPU, and says no more than that */
	/* Three that hold if nothing further out knows better; of them, the last one. */
	WAIT_COMPLETION,	/* for somebody to be done with something: a lock */
	WAIT_FILE,		/* for a file of some kind: a device */
	WAIT_PAGES,		/* for pages of a file: a disk, unless the file system is not on one */
	WAIT_THREAD,		/* where threads of the kernel begin */
	WAIT_FUTEX_CALL,	/* on a futex: whatever that is to the program */
	WAIT_FAULT,		/* serves a page fault */
	WAIT_BORDER,		/* what is further out has nothing to do with it */
	WAIT_DISK,		/* from here on: causes */
	WAIT_NETWORK,
	WAIT_PIPE,
	WAIT_SOCKET,
	WAIT_DEVICE,
	WAIT_FUTEX,
	WAIT_RWSEM,
	WAIT_MUTEX,
	WAIT_LOCK,
	WAIT_PAGE_FAULT,
	WAIT_RUN_QUEUE,
	WAIT_STOPPED,
	WAIT_PAUSE,
	WAIT_POLL,
	WAIT_SLEEP,
	WAIT_PARKED,
	WAIT_PROCESS,
	WAIT_KERNEL,
	WAIT_OTHER,
	WAIT_COUNT,
};

struct wait_rules {
	enum wait says;
	const char *patterns;	/* see automaton.h; NULL: the end of the table */
};

/* For people: the cause, or what else the rules say. Interned. */
const char *wait_rule_name(enum wait wait);

extern const struct wait_rules wait_kernel_rules[];

/* Functions of user space around a futex: WAIT_PARKED, or WAIT_FUTEX for locks. */
extern const struct wait_rules wait_user_rules[];

/* Names of system calls: all that is known of a wait in a capture without kernel frames. */
extern const struct wait_rules wait_syscall_rules[];

#endif
