/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is remembered of one address space: which of its mappings are code of which file. See
 * spaces.h.
 *
 * Read without a lock, written under one that is held for moments. Nothing here hangs on the mm but
 * by its pointer.
 */
#ifndef KTALLY_SPACE_H
#define KTALLY_SPACE_H

#include <linux/list.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct ktally_known_file;
struct ktally_user;
struct mm_struct;
struct vm_area_struct;

/*
 * Mappings that a space remembers. Who hits more than these by turns has them looked up each time.
 */
#define KTALLY_SPACE_MAPPINGS 44

/**
 * struct ktally_mapping - a range of addresses
 * @start: its first address
 * @end: the address after its last
 * @file: what it maps; NULL: it is no code of a file
 * @generation: of TLB entries, when it was looked up
 * @first_page: of the file
 * @exec_vm: size of executable mappings in pages, when it was looked up
 */
struct ktally_mapping {
	unsigned long start;
	unsigned long end;
	struct ktally_known_file *file;
	u64 generation;
	u32 first_page;
	u32 exec_vm;
};

/**
 * struct ktally_space - of one mm
 * @node: place in the table
 * @dead: the next of those to be freed
 * @mm: its structure is held
 * @user: who is charged for it, and for what it makes known
 * @used: when it was last asked, in jiffies, give or take a quarter of a second
 * @wanted: the worker is to look at it
 * @looked: when it last did, in jiffies
 * @lock: for writing what follows; interrupts off
 * @sequence: for reading it
 * @count: mappings that are remembered; they do not overlap
 * @victim: the next to be forgotten when there is no room
 * @order: places in @mappings: of those that are remembered, by address, then those that are free
 * @mappings: each where it was put first
 */
struct ktally_space {
	struct hlist_node node;
	struct ktally_space *dead;
	struct mm_struct *mm;
	struct ktally_user *user;
	unsigned long used;
	bool wanted;
	unsigned long looked;
	raw_spinlock_t lock;	/* writers of what follows */
	seqcount_raw_spinlock_t sequence;
	u32 count;
	u32 victim;
	u8 order[KTALLY_SPACE_MAPPINGS];
	struct ktally_mapping mappings[KTALLY_SPACE_MAPPINGS];
};

/* Of zeroed memory, in any context. */
void ktally_space_init(struct ktally_space *space, struct mm_struct *mm, struct ktally_user *user);

/*
 * Interrupts off, not NMI. False: nothing is remembered of the address, and the mapping is all
 * zeros.
 */
bool ktally_space_recall(const struct ktally_space *space, unsigned long address, struct ktally_mapping *mapping);

/* Whether it is code of a file. The mm is locked. */
bool ktally_is_code_of_file(const struct vm_area_struct *vma);

/*
 * Interrupts off, not NMI, the mm locked: fills in the rest of a @mapping with its figures, from what the
 * kernel says it is, and remembers it. @known is what was recalled of the place. At most @left files may be
 * new. False: there is no room for its file.
 */
bool ktally_space_learn(struct ktally_space *space, const struct vm_area_struct *vma,
			const struct ktally_mapping *known, struct ktally_mapping *mapping, u32 *left);

/* Nobody learns any more: forgets all. */
void ktally_space_clear(struct ktally_space *space);

#endif /* KTALLY_SPACE_H */
