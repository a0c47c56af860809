// SPDX-License-Identifier: GPL-2.0
#include "holds.h"

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "quota.h"

static unsigned int file_hold_ms = 750;
module_param(file_hold_ms, uint, 0644);
MODULE_PARM_DESC(file_hold_ms,
		 "How long a sampled file can be opened after the end of its process, and its mount is busy, in ms (default 750)");

/* How long while its process lives. */
#define HOLD_ALIVE_MS 30000

/*
 * When processes end, or wait to be let go of, that is looked at so much later at most: by default all is over
 * within a second. Else now and then, for what lives.
 */
#define SOON (HZ / 16)
#define SWEEP_INTERVAL (HZ / 2)

static DEFINE_RAW_SPINLOCK(lock);		/* the lists; of a hold what changes */
static LIST_HEAD(fresh);
static LIST_HEAD(kept);
static bool live;				/* there may be work */
static DEFINE_MUTEX(tending);			/* a hold that is, stays: only who has this ends one, or keeps it */

static void keep(struct work_struct *work);
static void look(struct work_struct *work);
static void sweep(struct work_struct *work);

static struct workqueue_struct *workers;
static struct irq_work kick_work;
static DECLARE_WORK(keep_work, keep);
static DECLARE_DELAYED_WORK(sweep_work, sweep);
static DECLARE_DELAYED_WORK(soon_work, look);

static void on_kick(struct irq_work *work)
{
	queue_work(workers, &keep_work);
}

/* ------------------------------------------------------------------------------------------------ in interrupts */

void ktally_hold_init(struct ktally_hold *hold)
{
	INIT_LIST_HEAD(&hold->node);
	hold->since = jiffies - KTALLY_HOLD_REFUSED;
}

void ktally_hold_take(struct ktally_hold *hold, struct file *file, struct mm_struct *mm, struct ktally_user *user)
{
	bool taken = false;

	lockdep_assert_irqs_disabled();
	if (ktally_hold_is_settled(hold))
		return;
	raw_spin_lock(&lock);
	if (!hold->file && !hold->closed) {
		taken = ktally_quota_charge(user, KTALLY_SHARE_HOLDS);
		WRITE_ONCE(hold->since, jiffies);
	}
	if (taken) {
		mmgrab(mm);
		hold->mm = mm;
		hold->user = user;
		hold->over = false;
		WRITE_ONCE(hold->file, get_file(file));
		list_add_tail(&hold->node, &fresh);
	}
	raw_spin_unlock(&lock);
	if (taken)
		irq_work_queue(&kick_work);
}

bool ktally_hold_close(struct ktally_hold *hold)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	hold->closed |= !hold->file;
	raw_spin_unlock_irqrestore(&lock, flags);
	return hold->closed;
}

/*
 * ------------------------------------------------------------------------------------------------ keeping and
 * ending
 */

/**
 * struct remains - what is left of a hold that ended, to be given back without the lock
 * @file: see struct ktally_hold
 * @seen: likewise
 * @mm: likewise
 */
struct remains {
	struct file *file;
	struct file *seen;
	struct mm_struct *mm;
};

static struct remains end(struct ktally_hold *hold)
{
	struct remains remains = { hold->file, hold->seen, hold->mm };

	lockdep_assert_held(&tending);
	lockdep_assert_held(&lock);
	list_del_init(&hold->node);
	ktally_quota_uncharge(hold->user, KTALLY_SHARE_HOLDS);
	WRITE_ONCE(hold->since, jiffies - KTALLY_HOLD_REFUSED);
	WRITE_ONCE(hold->file, NULL);
	hold->seen = NULL;
	hold->mm = NULL;
	hold->user = NULL;
	return remains;
}

static void give_back(const struct remains *remains)
{
	fput(remains->file);
	if (remains->seen)
		fput(remains->seen);
	mmdrop(remains->mm);
}

/* Older kernels tell who watches a file when one that was opened with O_PATH is closed. */
static struct file *open_path(const struct path *path)
{
	struct file *file = dentry_open(path, O_PATH, current_cred());

	if (!IS_ERR(file))
		file->f_mode |= FMODE_NONOTIFY;
	return file;
}

/* NULL: there is no such path of its own. */
static struct file *open_seen(struct file *file)
{
	const struct path *seen = ktally_file_user_path(file);

	return path_equal(seen, &file->f_path) ? NULL : open_path(seen);
}

/* Nobody else takes the fresh one out of the list. */
static void keep_one(struct ktally_hold *hold)
{
	struct file *file = hold->file, *path, *seen;
	struct remains remains;

	lockdep_assert_held(&tending);
	path = open_path(&file->f_path);
	seen = open_seen(file);
	raw_spin_lock_irq(&lock);
	if (IS_ERR(path) || IS_ERR(seen)) {
		remains = end(hold);
		WRITE_ONCE(hold->since, jiffies);
		raw_spin_unlock_irq(&lock);
		give_back(&remains);
		if (!IS_ERR(path))
			fput(path);
		if (!IS_ERR_OR_NULL(seen))
			fput(seen);
		return;
	}
	WRITE_ONCE(hold->file, path);
	hold->seen = seen;
	list_move_tail(&hold->node, &kept);
	raw_spin_unlock_irq(&lock);
	fput(file);
}

static struct ktally_hold *first_fresh(void)
{
	struct ktally_hold *hold;

	raw_spin_lock_irq(&lock);
	hold = list_first_entry_or_null(&fresh, struct ktally_hold, node);
	raw_spin_unlock_irq(&lock);
	return hold;
}

static void keep(struct work_struct *work)
{
	struct ktally_hold *hold;

	mutex_lock(&tending);
	while ((hold = first_fresh()))
		keep_one(hold);
	mutex_unlock(&tending);
}

/* When there are many, for a shorter time. */
static bool is_due(struct ktally_hold *hold)
{
	unsigned int ms = hold->over ? READ_ONCE(file_hold_ms) : HOLD_ALIVE_MS;

	if (ktally_quota_used(KTALLY_SHARE_HOLDS) > ktally_quota_limit(KTALLY_SHARE_HOLDS) / 2)
		ms /= 8;
	return time_after_eq(jiffies, hold->since + msecs_to_jiffies(ms));
}

static void see_end(struct ktally_hold *hold)
{
	lockdep_assert_held(&lock);
	if (hold->over || atomic_read(&hold->mm->mm_users))
		return;
	hold->over = true;
	WRITE_ONCE(hold->since, jiffies);
}

#define BATCH 32

/* Goes round the list in small parts, for the lock keeps interrupts off. True: some will be due soon. */
static bool end_those_due(void)
{
	bool soon = false;
	u32 i, count, left = ktally_quota_used(KTALLY_SHARE_HOLDS);
	struct remains remains[BATCH];
	struct ktally_hold *hold;

	while (left) {
		count = 0;
		raw_spin_lock_irq(&lock);
		for (i = 0; i < BATCH && left && !list_empty(&kept); i++, left--) {
			hold = list_first_entry(&kept, struct ktally_hold, node);
			list_move_tail(&hold->node, &kept);
			see_end(hold);
			if (is_due(hold))
				remains[count++] = end(hold);
			else
				soon |= hold->over;
		}
		if (list_empty(&kept))
			left = 0;
		raw_spin_unlock_irq(&lock);
		while (count)
			give_back(&remains[--count]);
	}
	return soon;
}

static void look(struct work_struct *work)
{
	bool soon;

	mutex_lock(&tending);
	soon = end_those_due();
	mutex_unlock(&tending);
	if (soon)
		ktally_holds_look_soon();
}

static void sweep(struct work_struct *work)
{
	look(work);
	queue_delayed_work(workers, &sweep_work, SWEEP_INTERVAL);
}

/* One that is on its way already is soon enough. */
void ktally_holds_look_soon(void)
{
	unsigned long flags;

	if (!READ_ONCE(live) || delayed_work_pending(&soon_work))
		return;
	raw_spin_lock_irqsave(&lock, flags);
	if (live)
		queue_delayed_work(workers, &soon_work, SOON);
	raw_spin_unlock_irqrestore(&lock, flags);
}

void ktally_hold_drop(struct ktally_hold *hold)
{
	struct remains remains = {};

	mutex_lock(&tending);
	raw_spin_lock_irq(&lock);
	if (hold->file)
		remains = end(hold);
	raw_spin_unlock_irq(&lock);
	mutex_unlock(&tending);
	if (remains.file)
		give_back(&remains);
}

/* ------------------------------------------------------------------------------------------------ borrowing */

bool ktally_hold_borrow(struct ktally_hold *hold, struct ktally_borrowed *borrowed)
{
	unsigned long flags;
	bool held;

	raw_spin_lock_irqsave(&lock, flags);
	held = hold->file;
	if (held) {
		borrowed->file = get_file(hold->file);
		borrowed->seen = get_file(hold->seen ?: hold->file);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return held;
}

void ktally_hold_return(const struct ktally_borrowed *borrowed)
{
	fput(borrowed->file);
	fput(borrowed->seen);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

int ktally_holds_start(void)
{
	workers = alloc_workqueue("ktally_holds", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!workers)
		return -ENOMEM;
	init_irq_work(&kick_work, on_kick);
	queue_delayed_work(workers, &sweep_work, SWEEP_INTERVAL);
	WRITE_ONCE(live, true);
	return 0;
}

void ktally_holds_quiesce(void)
{
	raw_spin_lock_irq(&lock);
	WRITE_ONCE(live, false);
	raw_spin_unlock_irq(&lock);
	irq_work_sync(&kick_work);
	cancel_work_sync(&keep_work);
	cancel_delayed_work_sync(&sweep_work);
	cancel_delayed_work_sync(&soon_work);
}

void ktally_holds_stop(void)
{
	destroy_workqueue(workers);
	workers = NULL;
}
