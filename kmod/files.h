/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files that code is mapped from, as the whole module knows them: each has a number, for
 * frames, and for a while the module holds a reference to it, so that a consumer can have it opened
 * (openfile.c) even when its process is gone.
 *
 * A file is what its inode was when it was first seen: device, inode number, generation, time of
 * the last change, size. A file that is written anew is another file, with another number. Only
 * what is sampled gets a number, since numbers are never used again while the module is loaded and
 * there are 16 million.
 *
 * A reference keeps the file's mount busy: umount says -EBUSY. While a process has the file mapped
 * it is busy anyway. After that the module lets go of it when it was not sampled for file_hold_ms;
 * a consumer that wants the file has to ask by then.
 *
 * Files are found and made in interrupts, from a stock, under one raw lock that is held for a look
 * into a hash table. Who is found stays where it is as long as something maps it, and to the end of
 * the RCU reader in any case.
 */
#ifndef KTALLY_FILES_H
#define KTALLY_FILES_H

#include <linux/ktally.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct file;

/**
 * struct ktally_known_file - a file
 * @by_identity: place in the table by what is compared of @record
 * @by_number: place in the table by number, once it has one
 * @record: as it is announced; all but header, time and number stay as they are
 * @held: a reference, or NULL
 * @holding: place in the list of those with a reference
 * @mappings: in how many mappings of spaces it is
 * @used: when it was last sampled or mapped, in jiffies, give or take a quarter of a second
 * @rcu: for when it goes
 */
struct ktally_known_file {
	struct hlist_node by_identity;
	struct hlist_node by_number;
	struct ktally_file record;
	struct file *held;
	struct list_head holding;
	u32 mappings;
	unsigned long used;
	struct rcu_head rcu;
};

/*
 * Process context, by turns: for as long as any session captures files. After stop nothing is left.
 */
int ktally_files_start(void);
void ktally_files_stop(void);

/* Process context. Fills the stock. */
void ktally_files_supply(void);
/* Process context, every now and then: lets go of what is not used. */
void ktally_files_sweep(void);
/* Any context: it is time to supply. */
bool ktally_files_want_supply(void);

/*
 * Interrupts off, not NMI; the file is open meanwhile. The known file that it is, known from now
 * on, with a mapping more; NULL: there is no room, now. And a mapping less.
 */
struct ktally_known_file *ktally_file_get(struct file *file);
void ktally_file_put(struct ktally_known_file *known);

/* As before: whether it (still) is this known file; and takes a reference if there is none. */
bool ktally_file_is(const struct ktally_known_file *known, const struct file *file);
void ktally_file_hold(struct ktally_known_file *known, struct file *file);

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
 * Process context: a reference of one's own. -ENOENT: no file ever had this number; -ESTALE: it is
 * not held.
 */
struct file *ktally_file_borrow(u32 number);

/* For those who look from outside. */
u32 ktally_files_known(void);
u32 ktally_files_held(void);

#endif /* KTALLY_FILES_H */
