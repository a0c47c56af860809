/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holds: what lets a file that was sampled be opened when its process is gone, when it is deleted, and
 * wherever it is mounted.
 *
 * A hold is the dentry and the mount, as an O_PATH descriptor has them, and not the struct file that is
 * mapped. On that hang the count of writers, flock(), OFD locks and leases, and all of these would outlive the
 * process that had them. But a dentry's reference cannot be taken in an interrupt: dget() may have to wait for
 * d_lock, and who was interrupted may have that (the mount's is a count of this CPU, which alone could be
 * had). A struct file's is an atomic count. So an interrupt takes that, and a worker that it wakes opens the
 * path in its place and lets go of it: within 10 ms.
 *
 * The path is kept as a struct file of its own, opened with O_PATH: then whoever borrows it takes an atomic
 * count as well, under a raw lock; and fput() never waits for the file system, as path_put() of a deleted file
 * may.
 *
 * A hold belongs to the process in whose sample it was taken. It ends file_hold_ms after that process's memory
 * does, and in any case after HOLD_ALIVE_MS, lest it keep a mount busy that this process has left while others
 * map the same inode by another mount. With the next sample it is taken anew, then of another process if need
 * be. So a mount is free again soon after the last process that mapped something there, whoever else runs the
 * same file.
 */
#ifndef KTALLY_HOLDS_H
#define KTALLY_HOLDS_H

#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/types.h>

struct file;
struct ktally_user;
struct mm_struct;

/**
 * struct ktally_hold - of one known file
 * @node: place in the list of those that are fresh, or kept
 * @file: NULL: there is none. Fresh: what is mapped; kept: an O_PATH file of the same path
 * @seen: another of the path by which it was opened, where that differs; NULL
 * @mm: of the process; its structure is held
 * @user: who is charged
 * @since: when it was taken or, if @over, its process seen to have ended; or was refused last; in jiffies
 * @over: its process has ended
 * @closed: there is to be none any more
 */
struct ktally_hold {
	struct list_head node;
	struct file *file;
	struct file *seen;
	struct mm_struct *mm;
	struct ktally_user *user;
	unsigned long since;
	bool over;
	bool closed;
};

/**
 * struct ktally_borrowed - what a hold has, with references of one's own
 * @file: for its f_path: what to open
 * @seen: by ktally_file_user_path(): the path to tell
 */
struct ktally_borrowed {
	struct file *file;
	struct file *seen;
};

/* Process context, by turns: with the life of the known files. At stop all holds have been dropped. */
int ktally_holds_start(void);
void ktally_holds_stop(void);

/* Of zeroed memory, in any context. */
void ktally_hold_init(struct ktally_hold *hold);

/*
 * Any context but NMI, interrupts off, the file mapped meanwhile: takes one if there is none. It may be
 * refused, and is then not tried again for a while.
 */
void ktally_hold_take(struct ktally_hold *hold, struct file *file, struct mm_struct *mm, struct ktally_user *user);

/* Who was refused is not tried again for so long. */
#define KTALLY_HOLD_REFUSED (HZ / 4)

/* Any context: there is one, or there is no point in trying to take one. */
static inline bool ktally_hold_is_settled(const struct ktally_hold *hold)
{
	return READ_ONCE(hold->file) || jiffies - READ_ONCE(hold->since) < KTALLY_HOLD_REFUSED;
}

/* Any context but NMI: false if there is a hold; else there will be none any more. */
bool ktally_hold_close(struct ktally_hold *hold);

/* Process context. False: there is none. And giving back. */
bool ktally_hold_borrow(struct ktally_hold *hold, struct ktally_borrowed *borrowed);
void ktally_hold_return(const struct ktally_borrowed *borrowed);

/* Any context but NMI: a process has ended, or become another program. Nobody is woken at once. */
void ktally_holds_look_soon(void);

/* Process context, between ktally_holds_quiesce() and stop: if there is one, it ends. */
void ktally_hold_drop(struct ktally_hold *hold);

/* Process context. Nobody takes any more: workers have ended after this. */
void ktally_holds_quiesce(void);

#endif /* KTALLY_HOLDS_H */
