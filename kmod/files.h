/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files that code is mapped from, as the whole module knows them: each has a number, for
 * frames, and for a while the module holds it (holds.h), so that a consumer can have it opened
 * (openfile.c) even when its process is gone.
 *
 * A file is what its inode was when it was first seen: device, inode number, generation, time of
 * the last change, size. A file that is written anew is another file, with another number. Only
 * what is sampled gets a number, since numbers are not used again while any session is open and
 * there are 16 million. How many files a user may make known, and how fast, is limited: see quota.h.
 *
 * Files are found and made in interrupts, from a stock, under one raw lock that is held for a look
 * into a hash table, whose chains are short in any case. Who is found stays where it is as long as
 * something maps it, and to the end of the RCU reader in any case.
 */
#ifndef KTALLY_FILES_H
#define KTALLY_FILES_H

#include <linux/ktally.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "holds.h"

struct file;
struct ktally_user;
struct mm_struct;

/**
 * struct ktally_known_file - a file
 * @by_identity: place in the table by what is compared of @record
 * @by_number: place in the table by number, once it has one
 * @record: as it is announced; all but header, time and number stay as they are
 * @hold: what keeps it openable
 * @user: who made it known, and is charged
 * @forgotten: place in the list of those to be freed
 * @mappings: in how many mappings of spaces it is
 * @used: when it was last sampled or mapped, in jiffies, give or take a quarter of a second
 * @rcu: for when it goes
 */
struct ktally_known_file {
	struct hlist_node by_identity;
	struct hlist_node by_number;
	struct ktally_file record;
	struct ktally_hold hold;
	struct ktally_user *user;
	struct list_head forgotten;
	u32 mappings;
	unsigned long used;
	struct rcu_head rcu;
};

/*
 * Process context, by turns: for as long as any session captures files. After stop nothing is left.
 */
int ktally_files_start(void);
void ktally_files_stop(void);

/*
 * Process context: with the life of each session, whether it captures files or not. Numbers begin again when
 * there is none: nobody remembers them then, and there are no tables.
 */
void ktally_files_open(void);
void ktally_files_close(void);

/* Process context. Fills the stock. */
void ktally_files_supply(void);
/* Process context, every now and then: forgets what is not used, when there is much. */
void ktally_files_sweep(void);
/* Any context: it is time to supply. */
bool ktally_files_want_supply(void);

/*
 * Interrupts off, not NMI; the file is open meanwhile. The known file that it is, known from now
 * on, with a mapping more. What is new is charged to the user and takes one of those that are @left.
 * NULL: there is no room, now. And a mapping less.
 */
struct ktally_known_file *ktally_file_get(struct file *file, struct ktally_user *user, u32 *left);
void ktally_file_put(struct ktally_known_file *known);

/* As before: whether it (still) is this known file; and holds it, if nothing does, for the process that has this mm. */
bool ktally_file_is(const struct ktally_known_file *known, const struct file *file);
void ktally_file_hold(struct ktally_known_file *known, struct file *file, struct mm_struct *mm);

/* Any context: whether it is held, or cannot be just now. */
static inline bool ktally_file_is_settled(const struct ktally_known_file *known)
{
	return ktally_hold_is_settled(&known->hold);
}

/*
 * Interrupts off, not NMI, under RCU: it was sampled. Its number, which it gets if it has none; 0:
 * there are none left.
 */
u32 ktally_file_number(struct ktally_known_file *known);

/*
 * The same: what is to be told of a file that was sampled a moment ago. False: it is known no more.
 */
bool ktally_file_describe(u32 number, struct ktally_file *record);

/*
 * Process context. Whether it is a file's number: 0, -ENOENT: no file ever had it; -ESTALE: the file is forgotten.
 */
int ktally_file_check(u32 number);

/*
 * Process context: what is held of it, and its record. -ENOENT: no file ever had this number; -ESTALE: it is
 * not held. And whether a file that was opened there is the same, with the same content; other changes do not
 * matter, such as its deletion.
 */
int ktally_file_borrow(u32 number, struct ktally_borrowed *borrowed, struct ktally_file *record);
bool ktally_file_is_unwritten(const struct ktally_file *record, const struct file *file);

/* For those who look from outside. */
u32 ktally_files_known(void);
u32 ktally_files_held(void);

#endif /* KTALLY_FILES_H */
