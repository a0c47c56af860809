// SPDX-License-Identifier: GPL-2.0
#include "files.h"

#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "area.h"
#include "stock.h"

static unsigned int file_hold_ms = 5000;
module_param(file_hold_ms, uint, 0644);
MODULE_PARM_DESC(file_hold_ms,
		 "How long a sampled file stays open after its last process, and its mount busy, in ms (default 5000)");

/* How long it stays open while it is mapped, and so its mount busy in any case. */
#define HOLD_MAPPED_MS 30000

#define FILES_MAX 65536
#define HELD_MAX 4096
#define NUMBER_MAX ((1U << (KTALLY_FRAME_TYPE_SHIFT - KTALLY_FRAME_FILE_SHIFT)) - 1)

#define TABLE_BITS 12
#define TABLE_BYTES ((u64)2 * sizeof(struct hlist_head) << TABLE_BITS)

/*
 * A known file may be forgotten when it was not used for so long: by then nobody is about to
 * announce it.
 */
#define FORGET_MS 15000

static DEFINE_RAW_SPINLOCK(lock);		/* what follows, but the stock; of files what changes */
static struct hlist_head *by_identity, *by_number;
static LIST_HEAD(holding);
static u32 known_count, held_count, last_number;
static struct ktally_stock stock = KTALLY_STOCK(stock, sizeof(struct ktally_known_file), 256);

static s64 nanoseconds(struct timespec64 time)
{
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

/*
 * All of this may change while it is read; what comes out then is one more identity, used for a
 * moment.
 */
static void identify(const struct file *file, struct ktally_file *record)
{
	const struct inode *inode = file_inode(file);

	record->inode = inode->i_ino;
	record->generation = inode->i_generation;
	record->device_major = MAJOR(inode->i_sb->s_dev);
	record->device_minor = MINOR(inode->i_sb->s_dev);
	record->bytes = i_size_read(inode);
	record->changed = nanoseconds(ktally_inode_ctime(inode));
	record->modified = nanoseconds(ktally_inode_mtime(inode));
}

/* The time of modification can be set to anything; each time that changes the time of change. */
static bool is_same(const struct ktally_file *a, const struct ktally_file *b)
{
	return a->inode == b->inode && a->generation == b->generation && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor && a->bytes == b->bytes && a->changed == b->changed;
}

static struct hlist_head *identity_bucket(const struct ktally_file *record)
{
	u64 device = (u64)record->device_major << 20 ^ record->device_minor;

	return &by_identity[hash_64(record->inode ^ device << 32 ^ record->generation, TABLE_BITS)];
}

static struct hlist_head *number_bucket(u32 number)
{
	return &by_number[hash_32(number, TABLE_BITS)];
}

static void touch(struct ktally_known_file *known)
{
	if (jiffies - READ_ONCE(known->used) > HZ / 4)
		WRITE_ONCE(known->used, jiffies);
}

static bool is_unused_for(const struct ktally_known_file *known, unsigned int ms)
{
	return time_after(jiffies, READ_ONCE(known->used) + msecs_to_jiffies(ms));
}

/* Whoever found it before may still be at it, but it is not to come back. */
static bool is_forgotten(const struct ktally_known_file *known)
{
	return hlist_unhashed(&known->by_identity);
}

/* ------------------------------------------------------------------------------------------------ in interrupts */

static struct ktally_known_file *find(const struct ktally_file *record)
{
	struct ktally_known_file *known;

	lockdep_assert_held(&lock);
	hlist_for_each_entry(known, identity_bucket(record), by_identity)
		if (is_same(&known->record, record))
			return known;
	return NULL;
}

static struct ktally_known_file *add(const struct ktally_file *record)
{
	struct ktally_known_file *known;

	lockdep_assert_held(&lock);
	if (known_count >= FILES_MAX)
		return NULL;
	known = ktally_stock_take(&stock);
	if (!known)
		return NULL;
	known->record = *record;
	INIT_LIST_HEAD(&known->holding);
	hlist_add_head_rcu(&known->by_identity, identity_bucket(record));
	known_count++;
	return known;
}

struct ktally_known_file *ktally_file_get(struct file *file)
{
	struct ktally_file record = {};
	struct ktally_known_file *known;

	lockdep_assert_irqs_disabled();
	identify(file, &record);
	raw_spin_lock(&lock);
	known = find(&record) ?: add(&record);
	if (known) {
		known->mappings++;
		WRITE_ONCE(known->used, jiffies);
	}
	raw_spin_unlock(&lock);
	return known;
}

void ktally_file_put(struct ktally_known_file *known)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	known->mappings--;
	raw_spin_unlock_irqrestore(&lock, flags);
}

bool ktally_file_is(const struct ktally_known_file *known, const struct file *file)
{
	struct ktally_file record;

	identify(file, &record);
	return is_same(&known->record, &record);
}

void ktally_file_hold(struct ktally_known_file *known, struct file *file)
{
	lockdep_assert_irqs_disabled();
	if (READ_ONCE(known->held))
		return;
	raw_spin_lock(&lock);
	if (!known->held && held_count < HELD_MAX && !is_forgotten(known)) {
		WRITE_ONCE(known->held, get_file(file));
		WRITE_ONCE(known->used, jiffies);
		list_add_tail(&known->holding, &holding);
		held_count++;
	}
	raw_spin_unlock(&lock);
}

static void give_number(struct ktally_known_file *known)
{
	raw_spin_lock(&lock);
	if (!known->record.file && last_number < NUMBER_MAX && !is_forgotten(known)) {
		WRITE_ONCE(known->record.file, last_number + 1);
		WRITE_ONCE(last_number, last_number + 1);
		hlist_add_head_rcu(&known->by_number, number_bucket(last_number));
	}
	raw_spin_unlock(&lock);
}

u32 ktally_file_number(struct ktally_known_file *known)
{
	lockdep_assert_irqs_disabled();
	if (unlikely(!READ_ONCE(known->record.file)))
		give_number(known);
	touch(known);
	return READ_ONCE(known->record.file);
}

/* Under RCU or the lock. */
static struct ktally_known_file *find_number(u32 number)
{
	struct ktally_known_file *known;

	if (!by_number)
		return NULL;
	hlist_for_each_entry_rcu(known, number_bucket(number), by_number, lockdep_is_held(&lock))
		if (known->record.file == number)
			return known;
	return NULL;
}

bool ktally_file_describe(u32 number, struct ktally_file *record)
{
	struct ktally_known_file *known;

	lockdep_assert_irqs_disabled();
	known = find_number(number);
	if (known)
		*record = known->record;
	return known;
}

bool ktally_files_want_supply(void)
{
	return ktally_stock_is_low(&stock);
}

/* ------------------------------------------------------------------------------------------------ for processes */

int ktally_file_check(u32 number)
{
	bool known;

	if (!number || number > READ_ONCE(last_number))
		return -ENOENT;
	raw_spin_lock_irq(&lock);
	known = find_number(number);
	raw_spin_unlock_irq(&lock);
	return known ? 0 : -ESTALE;
}

/*
 * Whether the content is still what it was. Other changes of the inode do not matter to that, such
 * as its deletion.
 */
static bool is_unwritten(const struct ktally_known_file *known)
{
	struct ktally_file record;

	identify(known->held, &record);
	return record.bytes == known->record.bytes && record.modified == known->record.modified;
}

struct file *ktally_file_borrow(u32 number)
{
	struct file *file = ERR_PTR(-ESTALE);
	struct ktally_known_file *known;

	if (!number || number > READ_ONCE(last_number))
		return ERR_PTR(-ENOENT);
	raw_spin_lock_irq(&lock);
	known = find_number(number);
	if (known && known->held && is_unwritten(known)) {
		file = get_file(known->held);
		WRITE_ONCE(known->used, jiffies);
	}
	raw_spin_unlock_irq(&lock);
	return file;
}

void ktally_files_supply(void)
{
	/* Without memory there are no new files, until there is. */
	(void)ktally_stock_fill(&stock);
}

static void let_go(struct ktally_known_file *known)
{
	lockdep_assert_held(&lock);
	list_del_init(&known->holding);
	WRITE_ONCE(known->held, NULL);
	held_count--;
}

/* When references run short, the shorter they are kept. */
static bool is_held_in_vain(const struct ktally_known_file *known)
{
	unsigned int limit = known->mappings ? HOLD_MAPPED_MS : READ_ONCE(file_hold_ms);

	if (held_count > HELD_MAX / 4 * 3)
		limit /= 8;
	return is_unused_for(known, limit);
}

#define BATCH 64

/* Goes round the list in small parts, for the lock keeps interrupts off. */
static void release_references(void)
{
	struct file *files[BATCH];
	u32 i, count, left = READ_ONCE(held_count);

	while (left) {
		count = 0;
		raw_spin_lock_irq(&lock);
		for (i = 0; i < BATCH && left && !list_empty(&holding); i++, left--) {
			struct ktally_known_file *known = list_first_entry(&holding, struct ktally_known_file, holding);

			list_move_tail(&known->holding, &holding);
			if (!is_held_in_vain(known))
				continue;
			files[count++] = known->held;
			let_go(known);
		}
		if (list_empty(&holding))
			left = 0;
		raw_spin_unlock_irq(&lock);
		while (count)
			fput(files[--count]);
	}
}

/* It has no reference, so its place in the list of those that have is free for another. */
static void forget(struct ktally_known_file *known, struct list_head *forgotten)
{
	lockdep_assert_held(&lock);
	hlist_del_init_rcu(&known->by_identity);
	if (known->record.file)
		hlist_del_rcu(&known->by_number);
	known_count--;
	list_add(&known->holding, forgotten);
}

static void free_forgotten(struct list_head *forgotten)
{
	struct ktally_known_file *known, *next;

	list_for_each_entry_safe(known, next, forgotten, holding) {
		kfree_rcu(known, rcu);
		ktally_stock_discharge(&stock);
	}
}

static void forget_unused(unsigned int ms)
{
	struct ktally_known_file *known;
	struct hlist_node *next;
	LIST_HEAD(forgotten);
	u32 i;

	for (i = 0; i < 1U << TABLE_BITS; i++) {
		raw_spin_lock_irq(&lock);
		hlist_for_each_entry_safe(known, next, &by_identity[i], by_identity)
			if (!known->mappings && !known->held && is_unused_for(known, ms))
				forget(known, &forgotten);
		raw_spin_unlock_irq(&lock);
	}
	free_forgotten(&forgotten);
}

/*
 * Whoever is forgotten and comes again gets another number, so that is only for want of room: the
 * longest unused first.
 */
void ktally_files_sweep(void)
{
	static const unsigned int limits[] = { 64 * 60 * 1000, 8 * 60 * 1000, 60 * 1000, FORGET_MS };
	u32 i;

	release_references();
	for (i = 0; i < ARRAY_SIZE(limits) && READ_ONCE(known_count) > FILES_MAX / 4 * 3; i++)
		forget_unused(limits[i]);
}

u32 ktally_files_known(void)
{
	return READ_ONCE(known_count);
}

u32 ktally_files_held(void)
{
	return READ_ONCE(held_count);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

int ktally_files_start(void)
{
	struct hlist_head *identities, *numbers;
	int err = ktally_memory_charge(TABLE_BYTES);

	if (err)
		return err;
	identities = kvcalloc(1U << TABLE_BITS, sizeof(*identities), GFP_KERNEL);
	numbers = kvcalloc(1U << TABLE_BITS, sizeof(*numbers), GFP_KERNEL);
	err = identities && numbers ? ktally_stock_fill(&stock) : -ENOMEM;
	if (err) {
		ktally_stock_empty(&stock);
		kvfree(identities);
		kvfree(numbers);
		ktally_memory_uncharge(TABLE_BYTES);
		return err;
	}
	raw_spin_lock_irq(&lock);
	by_identity = identities;
	by_number = numbers;
	raw_spin_unlock_irq(&lock);
	return 0;
}

/* No space is left, and so no mapping; but somebody may be opening a file just now. */
void ktally_files_stop(void)
{
	struct hlist_head *identities = by_identity, *numbers = by_number;
	struct ktally_known_file *known;
	struct hlist_node *next;
	LIST_HEAD(forgotten);
	u32 i;

	for (i = 0; i < 1U << TABLE_BITS; i++) {
		hlist_for_each_entry_safe(known, next, &identities[i], by_identity) {
			struct file *held = known->held;

			raw_spin_lock_irq(&lock);
			if (held)
				let_go(known);
			forget(known, &forgotten);
			raw_spin_unlock_irq(&lock);
			if (held)
				fput(held);
		}
	}
	free_forgotten(&forgotten);
	raw_spin_lock_irq(&lock);
	by_identity = NULL;
	by_number = NULL;
	raw_spin_unlock_irq(&lock);
	kvfree(identities);
	kvfree(numbers);
	ktally_memory_uncharge(TABLE_BYTES);
	ktally_stock_empty(&stock);
}
