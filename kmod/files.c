// SPDX-License-Identifier: GPL-2.0
#include "files.h"

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "area.h"
#include "numbers.h"
#include "quota.h"
#include "stock.h"

/*
 * No number is used twice while a session lives that may have been told it, so they have to last. All users
 * together are given NUMBERS_BURST (65 536) of them at any speed, and then NUMBERS_A_MINUTE (30), see quota.c.
 * A year has 525 960 minutes:
 *
 *	65 536 + 525 960 * 30 = 15 844 336 < 16 777 215
 *
 * One user alone is given half of the burst, and no faster than new files: NEW_BURST (1024), then 64 a second.
 */
#define NUMBER_MAX ((1U << (KTALLY_FRAME_TYPE_SHIFT - KTALLY_FRAME_FILE_SHIFT)) - 1)

/*
 * At most so many files in a chain of either table, since chains are walked with interrupts off. With all the
 * files that can be known they have eight on average, and nobody knows the key: so none is full, by chance or
 * by anybody's will. If one were, the file would be refused.
 */
#define CHAIN_MAX 32
#define TABLE_BITS 13
#define TABLE_BYTES ((u64)2 * sizeof(struct hlist_head) << TABLE_BITS)

/*
 * A known file may be forgotten when it was not used for so long: by then nobody is about to
 * announce it.
 */
#define FORGET_MS 15000

static DEFINE_RAW_SPINLOCK(lock);		/* what follows, but the stock; of files what changes */
static struct hlist_head *by_identity, *by_number;
static siphash_key_t hash_key;
static hsiphash_key_t number_key;		/* does not change while there is a session */
static u32 numbers_given, sessions;
static struct ktally_stock stock = KTALLY_STOCK(stock, sizeof(struct ktally_known_file), 256);

/* A number does not tell. */
#ifdef KTALLY_TEST
module_param(numbers_given, uint, 0444);
#endif

static s64 nanoseconds(struct timespec64 time)
{
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

/*
 * All of this may change while it is read; what comes out then is one more identity, used for a
 * moment.
 */
static void identify(const struct inode *inode, struct ktally_file *record)
{
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

/* Of all that is compared: else who changes the rest makes one chain of a file's identities. */
static struct hlist_head *identity_bucket(const struct ktally_file *record)
{
	u64 device = MKDEV(record->device_major, record->device_minor);
	u64 hash = siphash_4u64(record->inode, device << 32 | record->generation, record->bytes, record->changed,
				&hash_key);

	return &by_identity[hash & ((1U << TABLE_BITS) - 1)];
}

/* Numbers are enciphered (numbers.h): nobody chooses one, so they need no hash to spread. */
static struct hlist_head *number_bucket(u32 number)
{
	return &by_number[number & ((1U << TABLE_BITS) - 1)];
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

static struct ktally_known_file *find(const struct hlist_head *bucket, const struct ktally_file *record, u32 *length)
{
	struct ktally_known_file *known;

	lockdep_assert_held(&lock);
	hlist_for_each_entry(known, bucket, by_identity) {
		if (is_same(&known->record, record))
			return known;
		++*length;
	}
	return NULL;
}

static struct ktally_known_file *add(struct hlist_head *bucket, const struct ktally_file *record,
				     struct ktally_user *user)
{
	struct ktally_known_file *known;

	lockdep_assert_held(&lock);
	if (!ktally_quota_charge_new_file(user))
		return NULL;
	known = ktally_stock_take(&stock);
	if (!known) {
		ktally_quota_refuse(KTALLY_REFUSED_STOCK);
		ktally_quota_uncharge(user, KTALLY_SHARE_FILES);
		return NULL;
	}
	known->record = *record;
	known->user = user;
	ktally_hold_init(&known->hold);
	hlist_add_head(&known->by_identity, bucket);
	return known;
}

struct ktally_known_file *ktally_file_get(struct file *file, struct ktally_user *user, u32 *left)
{
	struct ktally_known_file *known;
	struct ktally_file record = {};
	struct hlist_head *bucket;
	u32 length = 0;

	lockdep_assert_irqs_disabled();
	identify(file_inode(file), &record);
	bucket = identity_bucket(&record);
	raw_spin_lock(&lock);
	known = find(bucket, &record, &length);
	if (!known && *left && length < CHAIN_MAX) {
		known = add(bucket, &record, user);
		*left -= known ? 1 : 0;
	} else if (!known) {
		ktally_quota_refuse(*left ? KTALLY_REFUSED_NEW : KTALLY_REFUSED_LOOKUPS);
	}
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

	identify(file_inode(file), &record);
	return is_same(&known->record, &record);
}

void ktally_file_hold(struct ktally_known_file *known, struct file *file, struct mm_struct *mm)
{
	ktally_hold_take(&known->hold, file, mm, known->user);
}

static bool is_full(const struct hlist_head *bucket)
{
	const struct hlist_node *node;
	u32 length = 0;

	hlist_for_each(node, bucket)
		length++;
	return length >= CHAIN_MAX;
}

static void give_number(struct ktally_known_file *known)
{
	struct hlist_head *bucket;
	u32 number;

	BUILD_BUG_ON(NUMBER_MAX != KTALLY_NUMBER_MAX);
	raw_spin_lock(&lock);
	if (!known->record.file && numbers_given < NUMBER_MAX && !is_forgotten(known) &&
	    ktally_quota_charge_number(known->user)) {
		WRITE_ONCE(numbers_given, numbers_given + 1);
		number = ktally_number_of(&number_key, numbers_given);
		bucket = number_bucket(number);
		if (!is_full(bucket)) {
			WRITE_ONCE(known->record.file, number);
			hlist_add_head_rcu(&known->by_number, bucket);
		}
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

static bool was_given(u32 number)
{
	return number && number <= NUMBER_MAX &&
	       ktally_number_place(&number_key, number) <= READ_ONCE(numbers_given);
}

int ktally_file_check(u32 number)
{
	bool known;

	if (!was_given(number))
		return -ENOENT;
	raw_spin_lock_irq(&lock);
	known = find_number(number);
	raw_spin_unlock_irq(&lock);
	return known ? 0 : -ESTALE;
}

int ktally_file_borrow(u32 number, struct ktally_borrowed *borrowed, struct ktally_file *record)
{
	struct ktally_known_file *known;
	int err = -ESTALE;

	if (!was_given(number))
		return -ENOENT;
	raw_spin_lock_irq(&lock);
	known = find_number(number);
	if (known && ktally_hold_borrow(&known->hold, borrowed)) {
		*record = known->record;
		WRITE_ONCE(known->used, jiffies);
		err = 0;
	}
	raw_spin_unlock_irq(&lock);
	return err;
}

bool ktally_file_is_unwritten(const struct ktally_file *record, const struct file *file)
{
	struct ktally_file found;

	identify(d_real_inode(file->f_path.dentry), &found);
	return found.inode == record->inode && found.generation == record->generation &&
	       found.device_major == record->device_major && found.device_minor == record->device_minor &&
	       found.bytes == record->bytes && found.modified == record->modified;
}

void ktally_files_supply(void)
{
	/* Without memory there are no new files, until there is. */
	(void)ktally_stock_fill(&stock);
}

static void forget(struct ktally_known_file *known, struct list_head *forgotten)
{
	lockdep_assert_held(&lock);
	hlist_del_init(&known->by_identity);
	if (known->record.file)
		hlist_del_rcu(&known->by_number);
	ktally_quota_uncharge(known->user, KTALLY_SHARE_FILES);
	list_add(&known->forgotten, forgotten);
}

static void free_forgotten(struct list_head *forgotten)
{
	struct ktally_known_file *known, *next;

	list_for_each_entry_safe(known, next, forgotten, forgotten) {
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
			if (!known->mappings && is_unused_for(known, ms) && ktally_hold_close(&known->hold))
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

	for (i = 0; i < ARRAY_SIZE(limits) && ktally_files_known() > ktally_quota_limit(KTALLY_SHARE_FILES) / 4; i++)
		forget_unused(limits[i]);
}

u32 ktally_files_known(void)
{
	return ktally_quota_used(KTALLY_SHARE_FILES);
}

u32 ktally_files_held(void)
{
	return ktally_quota_used(KTALLY_SHARE_HOLDS);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

static int make_tables(void)
{
	struct hlist_head *identities, *numbers;
	int err = ktally_memory_charge(TABLE_BYTES);

	if (err)
		return err;
	identities = kvcalloc(1U << TABLE_BITS, sizeof(*identities), GFP_KERNEL);
	numbers = kvcalloc(1U << TABLE_BITS, sizeof(*numbers), GFP_KERNEL);
	if (!identities || !numbers) {
		kvfree(identities);
		kvfree(numbers);
		ktally_memory_uncharge(TABLE_BYTES);
		return -ENOMEM;
	}
	get_random_bytes(&hash_key, sizeof(hash_key));
	raw_spin_lock_irq(&lock);
	by_identity = identities;
	by_number = numbers;
	raw_spin_unlock_irq(&lock);
	return 0;
}

static void free_tables(void)
{
	struct hlist_head *identities = by_identity, *numbers = by_number;

	raw_spin_lock_irq(&lock);
	by_identity = NULL;
	by_number = NULL;
	raw_spin_unlock_irq(&lock);
	kvfree(identities);
	kvfree(numbers);
	ktally_memory_uncharge(TABLE_BYTES);
}

int ktally_files_start(void)
{
	int err = ktally_holds_start();

	if (err)
		return err;
	err = make_tables();
	if (err)
		goto err_tables;
	err = ktally_stock_fill(&stock);
	if (err)
		goto err_stock;
	return 0;

err_stock:
	ktally_stock_empty(&stock);
	free_tables();
err_tables:
	ktally_holds_quiesce();
	ktally_holds_stop();
	return err;
}

/* No space is left, and so no mapping; but somebody may be opening a file just now. */
void ktally_files_stop(void)
{
	struct ktally_known_file *known;
	struct hlist_node *next;
	LIST_HEAD(forgotten);
	u32 i;

	ktally_holds_quiesce();
	for (i = 0; i < 1U << TABLE_BITS; i++) {
		hlist_for_each_entry_safe(known, next, &by_identity[i], by_identity) {
			ktally_hold_drop(&known->hold);
			raw_spin_lock_irq(&lock);
			forget(known, &forgotten);
			raw_spin_unlock_irq(&lock);
		}
	}
	free_forgotten(&forgotten);
	ktally_stock_empty(&stock);
	free_tables();
	ktally_holds_stop();
}

void ktally_files_open(void)
{
	hsiphash_key_t key;

	get_random_bytes(&key, sizeof(key));
	raw_spin_lock_irq(&lock);
	if (!sessions++)
		number_key = key;
	raw_spin_unlock_irq(&lock);
}

void ktally_files_close(void)
{
	raw_spin_lock_irq(&lock);
	if (!--sessions) {
		WRITE_ONCE(numbers_given, 0);
		ktally_quota_restart();
	}
	raw_spin_unlock_irq(&lock);
}
