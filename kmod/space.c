// SPDX-License-Identifier: GPL-2.0
#include "space.h"

#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/ktally.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "files.h"

void ktally_space_init(struct ktally_space *space, struct mm_struct *mm, struct ktally_user *user)
{
	u32 i;

	space->mm = mm;
	space->user = user;
	raw_spin_lock_init(&space->lock);
	seqcount_raw_spinlock_init(&space->sequence, &space->lock);
	for (i = 0; i < KTALLY_SPACE_MAPPINGS; i++)
		space->order[i] = i;
}

/* The index'th by address. Every byte of the order is a place at any time, so any reader gets one. */
static const struct ktally_mapping *nth(const struct ktally_space *space, u32 index)
{
	return &space->mappings[READ_ONCE(space->order[index])];
}

/*
 * The first mapping that ends after the address. Whoever reads without the lock may see an older
 * order, and asks again.
 */
static u32 index_of(const struct ktally_space *space, unsigned long address)
{
	u32 low = 0, high = min_t(u32, READ_ONCE(space->count), KTALLY_SPACE_MAPPINGS);

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (READ_ONCE(nth(space, middle)->end) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool ktally_space_recall(const struct ktally_space *space, unsigned long address, struct ktally_mapping *mapping)
{
	unsigned int sequence;
	bool known;
	u32 i;

	do {
		sequence = read_seqcount_begin(&space->sequence);
		i = index_of(space, address);
		known = i < min_t(u32, READ_ONCE(space->count), KTALLY_SPACE_MAPPINGS);
		if (known)
			*mapping = *nth(space, i);
	} while (read_seqcount_retry(&space->sequence, sequence));
	if (known && address >= mapping->start)
		return true;
	*mapping = (struct ktally_mapping) {};
	return false;
}

/* Their places become the first of the free ones. */
static void remove_mappings(struct ktally_space *space, u32 first, u32 end)
{
	u32 i, removed = end - first;
	u8 places[KTALLY_SPACE_MAPPINGS];

	for (i = first; i < end; i++)
		if (nth(space, i)->file)
			ktally_file_put(nth(space, i)->file);
	memcpy(places, &space->order[first], removed);
	memmove(&space->order[first], &space->order[end], space->count - end);
	memcpy(&space->order[space->count - removed], places, removed);
	WRITE_ONCE(space->count, space->count - removed);
}

/* Into the first of the free places. */
static void insert_mapping(struct ktally_space *space, u32 index, const struct ktally_mapping *mapping)
{
	u8 place = space->order[space->count];

	memmove(&space->order[index + 1], &space->order[index], space->count - index);
	space->order[index] = place;
	space->mappings[place] = *mapping;
	WRITE_ONCE(space->count, space->count + 1);
}

static bool is_same_range(const struct ktally_mapping *a, const struct ktally_mapping *b)
{
	return a->start == b->start && a->end == b->end && a->file == b->file && a->first_page == b->first_page;
}

/* The new one counts as a mapping of its file already; what overlaps it is no more. */
static void remember(struct ktally_space *space, const struct ktally_mapping *mapping)
{
	u32 first, end;

	lockdep_assert_irqs_disabled();
	raw_spin_lock(&space->lock);
	write_seqcount_begin(&space->sequence);
	first = index_of(space, mapping->start);
	for (end = first; end < space->count && nth(space, end)->start < mapping->end; end++)
		continue;
	remove_mappings(space, first, end);
	if (space->count == KTALLY_SPACE_MAPPINGS) {
		space->victim = (space->victim + 1) % KTALLY_SPACE_MAPPINGS;
		remove_mappings(space, space->victim, space->victim + 1);
		first -= space->victim < first;
	}
	insert_mapping(space, first, mapping);
	write_seqcount_end(&space->sequence);
	raw_spin_unlock(&space->lock);
}

/* It is what it was. False: somebody else has just replaced it. */
static bool confirm(struct ktally_space *space, const struct ktally_mapping *mapping)
{
	bool same;
	u32 i;

	lockdep_assert_irqs_disabled();
	raw_spin_lock(&space->lock);
	i = index_of(space, mapping->start);
	same = i < space->count && is_same_range(nth(space, i), mapping);
	if (same) {
		write_seqcount_begin(&space->sequence);
		space->mappings[space->order[i]] = *mapping;
		write_seqcount_end(&space->sequence);
	}
	raw_spin_unlock(&space->lock);
	return same;
}

/*
 * Code of a file is mapped privately, by whoever loads programs. A shared mapping that can be
 * executed is the other side of one that a compiler writes to; and huge pages of a file of their
 * own have nothing of the offsets of the file they were filled from.
 */
bool ktally_is_code_of_file(const struct vm_area_struct *vma)
{
	u64 end_page = vma->vm_pgoff + ((vma->vm_end - vma->vm_start) >> PAGE_SHIFT);

	return vma->vm_file && vma->vm_flags & VM_EXEC &&
	       !(vma->vm_flags & (VM_SHARED | VM_HUGETLB | VM_PFNMAP | VM_IO)) &&
	       S_ISREG(file_inode(vma->vm_file)->i_mode) && end_page <= 1ULL << (KTALLY_FRAME_FILE_SHIFT - PAGE_SHIFT);
}

bool ktally_space_learn(struct ktally_space *space, const struct vm_area_struct *vma,
			const struct ktally_mapping *known, struct ktally_mapping *mapping, u32 *left)
{
	struct file *file = ktally_is_code_of_file(vma) ? vma->vm_file : NULL;

	mapping->start = vma->vm_start;
	mapping->end = vma->vm_end;
	mapping->first_page = file ? vma->vm_pgoff : 0;
	mapping->file = file && known->file && ktally_file_is(known->file, file) ? known->file : NULL;
	if (!mapping->file == !file && known->end && confirm(space, mapping)) {
		if (file)
			ktally_file_hold(mapping->file, file, space->mm);
		return true;
	}
	if (file) {
		mapping->file = ktally_file_get(file, space->user, left);
		if (!mapping->file)
			return false;
		ktally_file_hold(mapping->file, file, space->mm);
	}
	remember(space, mapping);
	return true;
}

void ktally_space_clear(struct ktally_space *space)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&space->lock, flags);
	write_seqcount_begin(&space->sequence);
	remove_mappings(space, 0, space->count);
	write_seqcount_end(&space->sequence);
	raw_spin_unlock_irqrestore(&space->lock, flags);
}
