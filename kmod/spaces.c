// SPDX-License-Identifier: GPL-2.0
#include "spaces.h"

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "files.h"
#include "quota.h"
#include "stock.h"
#include "vdso.h"

/* Nobody can choose where a mm lies: a chain is as long as this at most, and hardly ever so long. */
#define TABLE_BITS 12
#define CHAIN_MAX 32

/*
 * Look-ups and new files of one stack: see spaces.h. A program that has just started goes through some twenty files, of
 * which its second stack makes the rest known.
 */
#define LOOKUPS_OF_STACK 24
#define FILES_OF_STACK 12

/* Mappings that the worker looks at in one space. */
#define WALK_MAX 16384

#define SWEEP_INTERVAL (HZ / 2)
#define LOOK_INTERVAL (HZ / 50 ?: 1)
#define WANT_INTERVAL (HZ / 10)

/* Lock order: a space's lock, then this or that of the files. */
static DEFINE_RAW_SPINLOCK(table_lock);		/* changes of the table */
static struct hlist_head table[1 << TABLE_BITS];
static struct ktally_stock stock = KTALLY_STOCK(stock, sizeof(struct ktally_space), 128);

static DEFINE_MUTEX(sessions_lock);		/* start and stop */
static unsigned int sessions;

static DEFINE_MUTEX(looking);			/* spaces are not freed */
static struct workqueue_struct *workers;

static void supply(struct work_struct *work);
static void look(struct work_struct *work);
static void sweep(struct work_struct *work);

static struct irq_work kick_work;
static DECLARE_WORK(supply_work, supply);
static DECLARE_DELAYED_WORK(look_work, look);
static DECLARE_DELAYED_WORK(sweep_work, sweep);

/* A worker cannot be woken wherever a view is had: the scheduler may hold its locks. */
static void on_kick(struct irq_work *work)
{
	queue_work(workers, &supply_work);
	queue_delayed_work(workers, &look_work, 0);
}

static void kick(void)
{
	irq_work_queue(&kick_work);
}

/* ------------------------------------------------------------------------------------------------ finding */

static u32 exec_vm_of(const struct mm_struct *mm)
{
	return READ_ONCE(mm->exec_vm);
}

static u64 generation_of(struct mm_struct *mm)
{
	return atomic64_read(&mm->context.tlb_gen);
}

/* Unless it has just looked. */
static void want_look(struct ktally_space *space)
{
	if (READ_ONCE(space->wanted) || jiffies - READ_ONCE(space->looked) < WANT_INTERVAL)
		return;
	WRITE_ONCE(space->wanted, true);
	kick();
}

static bool lock_mm(struct ktally_view *view)
{
	if (view->lock == KTALLY_LOCK_UNTRIED)
		view->lock = mmap_read_trylock(view->mm) ? KTALLY_LOCK_HELD : KTALLY_LOCK_REFUSED;
	if (view->lock == KTALLY_LOCK_HELD)
		return true;
	want_look(view->space);
	return false;
}

/* An address that is mapped by nothing is not worth remembering. */
static bool look_up(struct ktally_view *view, unsigned long address, const struct ktally_mapping *known,
		    struct ktally_mapping *mapping)
{
	struct vm_area_struct *vma = ktally_vma_at(view->mm, address);

	if (!vma)
		return false;
	mapping->generation = view->generation;
	mapping->exec_vm = view->exec_vm;
	return ktally_space_learn(view->space, vma, known, mapping, &view->files);
}

/* A file that is not held is to be held. */
static bool is_certain(const struct ktally_view *view, const struct ktally_mapping *mapping)
{
	if (mapping->generation != view->generation)
		return false;
	return mapping->file ? ktally_file_is_settled(mapping->file) : mapping->exec_vm == view->exec_vm;
}

static bool may_look_up(struct ktally_view *view)
{
	if (!view->lookups) {
		ktally_quota_refuse(KTALLY_REFUSED_LOOKUPS);
		return false;
	}
	if (!lock_mm(view))
		return false;
	view->lookups--;
	return true;
}

static bool find_mapping(struct ktally_view *view, unsigned long address, struct ktally_mapping *mapping)
{
	struct ktally_mapping remembered;
	bool known;

	if (ktally_vdso_find(view->mm, address, mapping))
		return true;
	known = ktally_space_recall(view->space, address, &remembered);
	*mapping = remembered;
	if (known && is_certain(view, &remembered))
		return true;
	if (may_look_up(view))
		return look_up(view, address, &remembered, mapping);
	/* What is not taken for code of a file stays an address, whatever is there by now. */
	return known && (!remembered.file || remembered.generation == view->generation ||
			 remembered.exec_vm == view->exec_vm);
}

bool ktally_space_find(struct ktally_view *view, unsigned long address, struct ktally_mapping *mapping)
{
	lockdep_assert_irqs_disabled();
	return view->space && find_mapping(view, address, mapping);
}

/* ------------------------------------------------------------------------------------------------ views */

static struct hlist_head *bucket_of(const struct mm_struct *mm)
{
	return &table[hash_ptr(mm, TABLE_BITS)];
}

/* Interrupts off are an RCU reader. */
static struct ktally_space *find_space(const struct mm_struct *mm)
{
	struct ktally_space *space;

	hlist_for_each_entry_rcu(space, bucket_of(mm), node, lockdep_is_held(&table_lock) || irqs_disabled())
		if (space->mm == mm)
			return space;
	return NULL;
}

static bool is_full(const struct hlist_head *bucket)
{
	const struct hlist_node *node;
	u32 length = 0;

	hlist_for_each(node, bucket)
		length++;
	return length >= CHAIN_MAX;
}

static struct ktally_space *make_space(struct mm_struct *mm, struct task_struct *task)
{
	struct ktally_user *user = ktally_quota_charge_task(task, KTALLY_SHARE_SPACES);
	struct ktally_space *space;

	lockdep_assert_held(&table_lock);
	if (!user)
		return NULL;
	space = ktally_stock_take(&stock);
	if (!space) {
		ktally_quota_refuse(KTALLY_REFUSED_STOCK);
		ktally_quota_uncharge(user, KTALLY_SHARE_SPACES);
		return NULL;
	}
	mmgrab(mm);
	ktally_space_init(space, mm, user);
	return space;
}

static struct ktally_space *add_space(struct mm_struct *mm, struct task_struct *task)
{
	struct hlist_head *bucket = bucket_of(mm);
	struct ktally_space *space;

	raw_spin_lock(&table_lock);
	space = find_space(mm);
	if (space || is_full(bucket))
		goto out;
	space = make_space(mm, task);
	if (space)
		hlist_add_head_rcu(&space->node, bucket);
out:
	raw_spin_unlock(&table_lock);
	return space;
}

/* Now and then, for there may be nothing to be had. */
static void want_supply(void)
{
	static unsigned long wanted;

	if ((!ktally_stock_is_low(&stock) && !ktally_files_want_supply()) || !time_after(jiffies, READ_ONCE(wanted)))
		return;
	WRITE_ONCE(wanted, jiffies);
	kick();
}

/*
 * In a hard interrupt whoever was interrupted had interrupts on; in a task with interrupts on
 * nothing is held either. A task with interrupts off may hold the scheduler's locks, which
 * releasing the mm's may need.
 */
static bool may_lock(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) && (in_hardirq() || !irqs_disabled());
}

void ktally_view_begin(struct ktally_view *view, struct mm_struct *mm, struct task_struct *task,
		       struct ktally_stack_buffer *stack)
{
	view->lock = may_lock() ? KTALLY_LOCK_UNTRIED : KTALLY_LOCK_REFUSED;
	local_irq_save(view->irq_flags);
	view->mm = mm;
	view->generation = generation_of(mm);
	view->exec_vm = exec_vm_of(mm);
	view->lookups = LOOKUPS_OF_STACK;
	view->files = FILES_OF_STACK;
	view->stack = stack;
	view->space = find_space(mm) ?: add_space(mm, task);
	if (view->space && jiffies - READ_ONCE(view->space->used) > HZ / 4)
		WRITE_ONCE(view->space->used, jiffies);
	want_supply();
}

void ktally_view_end(struct ktally_view *view)
{
	if (view->lock == KTALLY_LOCK_HELD)
		mmap_read_unlock(view->mm);
	local_irq_restore(view->irq_flags);
}

/* ------------------------------------------------------------------------------------------------ workers */

static void supply(struct work_struct *work)
{
	/* Without memory there are no new spaces, until there is. */
	(void)ktally_stock_fill(&stock);
	ktally_files_supply();
}

/* What may never have run can be unmapped without flushing, so its generation says nothing. */
#define NEVER_RAN U64_MAX

static void walk(struct ktally_space *space)
{
	struct ktally_mapping mapping = { .exec_vm = exec_vm_of(space->mm) }, known;
	u32 left = WALK_MAX, room = KTALLY_SPACE_MAPPINGS, files = KTALLY_SPACE_MAPPINGS;
	struct vm_area_struct *vma;
	unsigned long flags;

	for (vma = ktally_vma_after(space->mm, NULL); vma && left-- && room; vma = ktally_vma_after(space->mm, vma)) {
		if (!ktally_is_code_of_file(vma))
			continue;
		local_irq_save(flags);
		ktally_space_recall(space, vma->vm_start, &known);
		mapping.generation = NEVER_RAN;
		if (known.file && ktally_file_is(known.file, vma->vm_file))
			mapping.generation = known.generation;
		ktally_space_learn(space, vma, &known, &mapping, &files);
		local_irq_restore(flags);
		room--;
	}
}

/* False: somebody is at its mappings just now. */
static bool look_at(struct ktally_space *space)
{
	struct mm_struct *mm = space->mm;
	bool locked;

	if (!mmget_not_zero(mm))
		return true;
	locked = mmap_read_trylock(mm);
	if (locked) {
		walk(space);
		mmap_read_unlock(mm);
	}
	mmput_async(mm);
	return locked;
}

static void look(struct work_struct *work)
{
	struct ktally_space *space;
	bool done = true;
	u32 i;

	mutex_lock(&looking);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		hlist_for_each_entry_rcu(space, &table[i], node, lockdep_is_held(&looking)) {
			if (!READ_ONCE(space->wanted))
				continue;
			if (look_at(space)) {
				WRITE_ONCE(space->looked, jiffies);
				WRITE_ONCE(space->wanted, false);
			} else {
				done = false;
			}
			cond_resched();		/* each can have as many mappings as a walk looks at */
		}
	}
	mutex_unlock(&looking);
	if (!done)
		queue_delayed_work(workers, &look_work, LOOK_INTERVAL);
}

/* Nobody finds it any more. */
static void destroy(struct ktally_space *space)
{
	ktally_space_clear(space);
	mmdrop(space->mm);
	ktally_quota_uncharge(space->user, KTALLY_SHARE_SPACES);
	kfree(space);
	ktally_stock_discharge(&stock);
}

static bool is_to_go(const struct ktally_space *space, unsigned int unused_ms)
{
	return !atomic_read(&space->mm->mm_users) ||
	       time_after(jiffies, READ_ONCE(space->used) + msecs_to_jiffies(unused_ms));
}

static void drop(unsigned int unused_ms, bool all)
{
	struct ktally_space *space, *dead = NULL;
	struct hlist_node *next;
	u32 i;

	mutex_lock(&looking);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		if (hlist_empty(&table[i]))
			continue;
		raw_spin_lock_irq(&table_lock);
		hlist_for_each_entry_safe(space, next, &table[i], node) {
			if (!all && !is_to_go(space, unused_ms))
				continue;
			hlist_del_rcu(&space->node);
			space->dead = dead;
			dead = space;
		}
		raw_spin_unlock_irq(&table_lock);
	}
	mutex_unlock(&looking);
	if (!dead)
		return;
	synchronize_rcu();
	while (dead) {
		space = dead;
		dead = space->dead;
		destroy(space);
		cond_resched();
	}
}

/* Spaces of the living go when they were not asked for long, and sooner for want of room. */
static void sweep(struct work_struct *work)
{
	static const unsigned int limits[] = { 600 * 1000, 60 * 1000, 10 * 1000, 1000 };
	u32 i, room = ktally_quota_limit(KTALLY_SHARE_SPACES);

	drop(limits[0], false);
	for (i = 1; i < ARRAY_SIZE(limits) && ktally_spaces_count() > room / 8 * (i + 1); i++)
		drop(limits[i], false);
	ktally_files_sweep();
	queue_delayed_work(workers, &sweep_work, SWEEP_INTERVAL);
}

u32 ktally_spaces_count(void)
{
	return ktally_quota_used(KTALLY_SHARE_SPACES);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

int ktally_spaces_start(void)
{
	int err = 0;

	mutex_lock(&sessions_lock);
	if (!sessions) {
		err = ktally_files_start();
		if (err)
			goto out;
		err = ktally_stock_fill(&stock);
		if (err) {
			ktally_stock_empty(&stock);
			ktally_files_stop();
			goto out;
		}
		queue_delayed_work(workers, &sweep_work, SWEEP_INTERVAL);
	}
	ktally_vdso_start();
	sessions++;
out:
	mutex_unlock(&sessions_lock);
	return err;
}

/* With the last session nobody kicks any more, so what is stopped in this order stays so. */
void ktally_spaces_stop(void)
{
	mutex_lock(&sessions_lock);
	if (!--sessions) {
		irq_work_sync(&kick_work);
		cancel_work_sync(&supply_work);
		cancel_delayed_work_sync(&look_work);
		cancel_delayed_work_sync(&sweep_work);
		drop(0, true);
		ktally_vdso_stop();
		ktally_files_stop();
		ktally_stock_empty(&stock);
	}
	mutex_unlock(&sessions_lock);
}

int ktally_spaces_init(void)
{
	init_irq_work(&kick_work, on_kick);
	workers = alloc_workqueue("ktally_spaces", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return workers ? 0 : -ENOMEM;
}

void ktally_spaces_exit(void)
{
	destroy_workqueue(workers);
}
