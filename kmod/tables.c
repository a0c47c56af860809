// SPDX-License-Identifier: GPL-2.0
#include "tables.h"

#include <linux/build_bug.h>
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "files.h"
#include "gate.h"
#include "table.h"

static unsigned int tables_limit_mb = 128;
module_param(tables_limit_mb, uint, 0644);
MODULE_PARM_DESC(tables_limit_mb, "Most memory for unwind tables, in MiB (default 128)");

static unsigned int tables_user_limit_mb = 96;
module_param(tables_user_limit_mb, uint, 0644);
MODULE_PARM_DESC(tables_user_limit_mb,
		 "Most memory for unwind tables that one user's sessions load, in MiB (default 96)");

/**
 * struct loaded - a table, from the moment that its loading begins
 * @by_file: place in the table of tables, once it can be used
 * @all: place in the list of all, whether they can be used yet or not
 * @file: whose it is
 * @owner: who opened the session that loads it
 * @bytes: what it takes
 * @ready: it can be used
 * @arrays: its memory
 * @table: its parts
 */
struct loaded {
	struct hlist_node by_file;
	struct list_head all;
	u32 file;
	kuid_t owner;
	u64 bytes;
	bool ready;
	void *arrays;
	struct ktally_table table;
};

/* A table takes a page at least: at the default limits a chain is of some eight. */
#define BUCKET_BITS 12

static DEFINE_MUTEX(lock);			/* all that follows, but for readers of the buckets */
static struct hlist_head buckets[1 << BUCKET_BITS];
static LIST_HEAD(all_tables);
static unsigned int keepers;			/* sessions, and who loads just now */

/* ------------------------------------------------------------------------------------------------ finding */

static struct hlist_head *bucket_of(u32 file)
{
	return &buckets[hash_32(file, BUCKET_BITS)];
}

static struct loaded *find(u32 file)
{
	struct loaded *loaded;

	hlist_for_each_entry_rcu(loaded, bucket_of(file), by_file, lockdep_is_held(&lock))
		if (loaded->file == file)
			return loaded;
	return NULL;
}

struct ktally_table *ktally_tables_find(u32 file)
{
	struct loaded *loaded = find(file);

	return loaded ? &loaded->table : NULL;
}

/* ------------------------------------------------------------------------------------------------ going */

/* Nobody finds it any more. */
static void take_out(struct loaded *loaded, struct list_head *gone)
{
	lockdep_assert_held(&lock);
	if (loaded->ready)
		hlist_del_rcu(&loaded->by_file);
	list_move(&loaded->all, gone);
}

/*
 * Once those who found them have gone, too. Waiting for that, instead of leaving it to a callback,
 * keeps what is not freed yet from piling up beyond the limits.
 */
static void free_all(struct list_head *gone)
{
	struct loaded *loaded, *next;

	if (list_empty(gone))
		return;
	synchronize_rcu();
	list_for_each_entry_safe(loaded, next, gone, all) {
		kvfree(loaded->arrays);
		kfree(loaded);
	}
}

/* ------------------------------------------------------------------------------------------------ limits */

static bool is_owned(const struct loaded *loaded, const kuid_t *owner)
{
	return !owner || uid_eq(loaded->owner, *owner);
}

/* Of one owner, or of all. */
static u64 used_bytes(const kuid_t *owner)
{
	const struct loaded *loaded;
	u64 bytes = 0;

	lockdep_assert_held(&lock);
	list_for_each_entry(loaded, &all_tables, all)
		if (is_owned(loaded, owner))
			bytes += loaded->bytes;
	return bytes;
}

static struct loaded *longest_unused(const kuid_t *owner)
{
	struct loaded *loaded, *longest = NULL;

	list_for_each_entry(loaded, &all_tables, all)
		if (loaded->ready && is_owned(loaded, owner) &&
		    (!longest || time_before(READ_ONCE(loaded->table.used), READ_ONCE(longest->table.used))))
			longest = loaded;
	return longest;
}

/* Those that are being loaded cannot go. */
static int make_room(const kuid_t *owner, u64 bytes, unsigned int limit_mb, struct list_head *gone, u32 *evicted)
{
	u64 limit = (u64)limit_mb << 20, used = used_bytes(owner);

	if (bytes > limit)
		return -E2BIG;
	while (used + bytes > limit) {
		struct loaded *loaded = longest_unused(owner);

		if (!loaded)
			return -ENOMEM;
		used -= loaded->bytes;
		take_out(loaded, gone);
		++*evicted;
	}
	return 0;
}

/* Takes its place in the limits; on an error what was evicted for it has gone nevertheless. */
static int admit(struct loaded *loaded, u32 *evicted)
{
	LIST_HEAD(gone);
	int err;

	mutex_lock(&lock);
	err = make_room(&loaded->owner, loaded->bytes, READ_ONCE(tables_user_limit_mb), &gone, evicted);
	if (!err)
		err = make_room(NULL, loaded->bytes, READ_ONCE(tables_limit_mb), &gone, evicted);
	if (!err)
		list_add(&loaded->all, &all_tables);
	mutex_unlock(&lock);
	free_all(&gone);
	return err;
}

static void dismiss(struct loaded *loaded)
{
	mutex_lock(&lock);
	list_del(&loaded->all);
	mutex_unlock(&lock);
}

/* ------------------------------------------------------------------------------------------------ loading */

#define PIECE (64U << 10)

/* It may be long, and its pages may have to come from anywhere: so one can be killed meanwhile. */
static int copy_array(void *to, u64 address, u64 bytes)
{
	const char __user *from = u64_to_user_ptr(address);

	while (bytes) {
		u64 piece = min_t(u64, bytes, PIECE);

		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_from_user(to, from, piece))
			return -EFAULT;
		to += piece;
		from += piece;
		bytes -= piece;
		cond_resched();
	}
	return 0;
}

/*
 * One piece of memory holds the arrays, those with the larger elements first. It may be vmalloc()ed,
 * and is read in interrupts: on x86-64 all page tables share what is below their entries for the
 * vmalloc area, and these were all made at boot (since 5.9), so nothing is mapped late, by a fault.
 */
static int copy_table(struct loaded *loaded, const struct ktally_load_table *request)
{
	struct ktally_table *table = &loaded->table;
	u64 rules = (u64)request->rule_count * sizeof(*table->rules);
	u64 first_rows = ((u64)request->chunk_count + 1) * sizeof(*table->first_rows);
	u64 rows = (u64)request->row_count * sizeof(*table->rows);
	void *arrays;
	int err;

	arrays = kvmalloc(KTALLY_TABLE_MEMO_BYTES + rules + first_rows + rows, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!arrays)
		return -ENOMEM;
	loaded->arrays = arrays;
	memset(arrays, 0, KTALLY_TABLE_MEMO_BYTES);
	arrays += KTALLY_TABLE_MEMO_BYTES;
	*table = (struct ktally_table) {
		.memo		= loaded->arrays,
		.rules		= arrays,
		.first_rows	= arrays + rules,
		.rows		= arrays + rules + first_rows,
		.first_chunk	= request->first_chunk,
		.chunk_count	= request->chunk_count,
		.row_count	= request->row_count,
		.rule_count	= request->rule_count,
		.used		= jiffies,
	};
	err = copy_array(arrays, request->rules, rules);
	if (!err)
		err = copy_array(arrays + rules, request->first_rows, first_rows);
	if (!err)
		err = copy_array(arrays + rules + first_rows, request->rows, rows);
	/* What was copied, which nobody else can change. */
	return err ?: ktally_table_check(table);
}

/* From here on it is used, instead of another that the file may have. */
static int install(struct loaded *loaded, bool replace)
{
	LIST_HEAD(gone);
	struct loaded *other;
	int err = 0;

	mutex_lock(&lock);
	other = find(loaded->file);
	if (other && !replace) {
		err = -EEXIST;
	} else {
		loaded->ready = true;
		if (other) {
			hlist_replace_rcu(&other->by_file, &loaded->by_file);
			list_move(&other->all, &gone);
		} else {
			hlist_add_head_rcu(&loaded->by_file, bucket_of(loaded->file));
		}
	}
	mutex_unlock(&lock);
	free_all(&gone);
	return err;
}

static int check_request(const struct ktally_gate *gate, const struct ktally_load_table *request)
{
	int err = ktally_gate_check_host(gate, KTALLY_RIGHT_LOAD_TABLE);

	if (err)
		return err;
	if (request->flags & ~KTALLY_LOAD_TABLE_REPLACE || request->evicted || !request->rule_count ||
	    request->rule_count > KTALLY_UNWIND_RULES_MAX || request->chunk_count > KTALLY_UNWIND_CHUNKS_MAX)
		return -EINVAL;
	return ktally_file_check(request->file);
}

static u64 bytes_of(const struct ktally_load_table *request)
{
	return (u64)request->rule_count * sizeof(struct ktally_unwind_rule) +
	       ((u64)request->chunk_count + 1) * sizeof(u32) +
	       (u64)request->row_count * sizeof(struct ktally_unwind_row);
}

static bool has_table(u32 file)
{
	bool has;

	rcu_read_lock();
	has = find(file);
	rcu_read_unlock();
	return has;
}

static int load(const struct ktally_gate *gate, struct ktally_load_table *request)
{
	bool replace = request->flags & KTALLY_LOAD_TABLE_REPLACE;
	struct loaded *loaded;
	int err;

	if (bytes_of(request) > KTALLY_UNWIND_BYTES_MAX)
		return -E2BIG;
	if (!replace && has_table(request->file))
		return -EEXIST;
	loaded = kzalloc(sizeof(*loaded), GFP_KERNEL_ACCOUNT);
	if (!loaded)
		return -ENOMEM;
	loaded->file = request->file;
	loaded->owner = gate->cred->euid;
	/* Never little, so that the limits are one of their number, too. */
	loaded->bytes = PAGE_ALIGN(sizeof(*loaded) + KTALLY_TABLE_MEMO_BYTES + bytes_of(request));

	err = admit(loaded, &request->evicted);
	if (err)
		goto err_admit;
	err = copy_table(loaded, request);
	if (!err)
		err = install(loaded, replace);
	if (err)
		goto err_table;
	return 0;

err_table:
	dismiss(loaded);
	kvfree(loaded->arrays);
err_admit:
	kfree(loaded);
	return err;
}

/* ------------------------------------------------------------------------------------------------ keeping */

/* False: nobody keeps any. */
static bool join_keepers(void)
{
	bool kept;

	mutex_lock(&lock);
	kept = keepers;
	keepers += kept;
	mutex_unlock(&lock);
	return kept;
}

void ktally_tables_open(void)
{
	mutex_lock(&lock);
	keepers++;
	mutex_unlock(&lock);
}

void ktally_tables_close(void)
{
	struct loaded *loaded, *next;
	LIST_HEAD(gone);

	mutex_lock(&lock);
	if (!--keepers)
		list_for_each_entry_safe(loaded, next, &all_tables, all)
			take_out(loaded, &gone);
	mutex_unlock(&lock);
	free_all(&gone);
}

/* Who loads keeps what is loaded meanwhile: without a session, nothing has a number to load it for. */
int ktally_tables_load(const struct ktally_gate *gate, struct ktally_load_table *request)
{
	int err;

	BUILD_BUG_ON(sizeof(struct ktally_unwind_row) != 4);
	BUILD_BUG_ON(sizeof(struct ktally_unwind_rule) != 24);

	err = check_request(gate, request);
	if (err)
		return err;
	if (!join_keepers())
		return -ENOENT;
	err = load(gate, request);
	ktally_tables_close();
	return err;
}

struct ktally_tables_usage ktally_tables_used(void)
{
	struct ktally_tables_usage usage = {};
	const struct loaded *loaded;

	mutex_lock(&lock);
	list_for_each_entry(loaded, &all_tables, all)
		usage.count += loaded->ready;
	usage.bytes = used_bytes(NULL);
	mutex_unlock(&lock);
	return usage;
}
