// SPDX-License-Identifier: GPL-2.0
#include "quota.h"

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "tenant.h"

static unsigned int limits[KTALLY_SHARES] = {
	[KTALLY_SHARE_FILES]	= 65536,
	[KTALLY_SHARE_SPACES]	= 8192,
	[KTALLY_SHARE_HOLDS]	= 4096,
};

/* So that a test need not have ten thousand of anything. */
#ifdef KTALLY_TEST
module_param_array(limits, uint, NULL, 0644);
#endif

static const char *const names[KTALLY_REFUSALS] = {
	[KTALLY_SHARE_FILES]		= "files",
	[KTALLY_SHARE_SPACES]		= "spaces",
	[KTALLY_SHARE_HOLDS]		= "holds",
	[KTALLY_REFUSED_NEW]		= "new_files",
	[KTALLY_REFUSED_NUMBERS]	= "numbers",
	[KTALLY_REFUSED_LOOKUPS]	= "lookups",
	[KTALLY_REFUSED_MAPPINGS]	= "mappings",
	[KTALLY_REFUSED_STOCK]		= "stock",
};

/*
 * A bucket that leaks so much a minute, in units of which each that is put in is 60 * HZ: so a jiffy takes a
 * whole number of them, and nothing is lost to rounding.
 */
struct bucket {
	u64 level;
	unsigned long since;	/* jiffies */
};

#define ONE (60ULL * HZ)

/*
 * How fast a user's files may be new: as many as a busy host shows in its first seconds, then as fast as a
 * consumer can read them.
 */
#define NEW_BURST	1024
#define NEW_A_MINUTE	(64 * 60)

/* See NUMBER_MAX in files.c for the arithmetic. */
#define NUMBERS_BURST	65536
#define NUMBERS_A_MINUTE 30

/**
 * struct ktally_user - what a user has
 * @tenant: see tenant.h
 * @counts: by share
 * @new: its new files
 * @numbers: its file numbers
 */
struct ktally_user {
	u32 tenant;
	u32 counts[KTALLY_SHARES];
	struct bucket new;
	struct bucket numbers;
};

/*
 * A user is in one of the PROBES places after its hash. One that has nothing makes room: it is as one that
 * never was here. Whoever finds no place, where hundreds of users are at it at once, has the last together with
 * all others of that fate.
 */
#define USERS_BITS 8
#define USERS (1U << USERS_BITS)
#define PROBES 16

/*
 * What is known of users lasts as long as numbers do: from no session to no session, whether files are captured
 * meanwhile or not. Else who comes again would have a share of his own anew, of what all have together.
 */

/* Within those of the spaces, the files and the holds. */
static DEFINE_RAW_SPINLOCK(lock);		/* what follows, of users all */
static struct ktally_user users[USERS + PROBES + 1];
static u32 totals[KTALLY_SHARES];
static struct bucket numbers;

static atomic64_t refused[KTALLY_REFUSALS];

static void leak(struct bucket *bucket, u32 a_minute)
{
	unsigned long now = jiffies;
	u64 leaked = (u64)(now - bucket->since) * a_minute;

	bucket->level -= min(bucket->level, leaked);
	bucket->since = now;
}

/* ------------------------------------------------------------------------------------------------ users */

static bool is_idle(struct ktally_user *user)
{
	u32 i;

	leak(&user->new, NEW_A_MINUTE);
	leak(&user->numbers, NUMBERS_A_MINUTE);
	for (i = 0; i < KTALLY_SHARES; i++)
		if (user->counts[i])
			return false;
	return !user->new.level && !user->numbers.level;
}

static struct ktally_user *account_of(u32 tenant)
{
	struct ktally_user *idle = NULL, *user = users + hash_32(tenant, USERS_BITS), *end = user + PROBES;

	lockdep_assert_held(&lock);
	for (; user < end; user++) {
		if (is_idle(user))
			idle = idle ?: user;
		else if (user->tenant == tenant)
			return user;
	}
	if (!idle)
		return ktally_quota_module();
	idle->tenant = tenant;
	return idle;
}

struct ktally_user *ktally_quota_module(void)
{
	return &users[USERS + PROBES];
}

/* ------------------------------------------------------------------------------------------------ charging */

void ktally_quota_refuse(enum ktally_refusal cause)
{
	atomic64_inc(&refused[cause]);
}

static bool charge(struct ktally_user *user, enum ktally_share share)
{
	lockdep_assert_held(&lock);
	if (user->counts[share] + totals[share] >= limits[share]) {
		ktally_quota_refuse((enum ktally_refusal)share);
		return false;
	}
	user->counts[share]++;
	WRITE_ONCE(totals[share], totals[share] + 1);
	return true;
}

struct ktally_user *ktally_quota_charge_task(struct task_struct *task, enum ktally_share share)
{
	struct ktally_user *user;
	u32 tenant = ktally_tenant_of_task(task);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	user = account_of(tenant);
	if (!charge(user, share))
		user = NULL;
	raw_spin_unlock_irqrestore(&lock, flags);
	return user;
}

bool ktally_quota_charge(struct ktally_user *user, enum ktally_share share)
{
	unsigned long flags;
	bool charged;

	raw_spin_lock_irqsave(&lock, flags);
	charged = charge(user, share);
	raw_spin_unlock_irqrestore(&lock, flags);
	return charged;
}

void ktally_quota_uncharge(struct ktally_user *user, enum ktally_share share)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	user->counts[share]--;
	WRITE_ONCE(totals[share], totals[share] - 1);
	raw_spin_unlock_irqrestore(&lock, flags);
}

bool ktally_quota_charge_new_file(struct ktally_user *user)
{
	unsigned long flags;
	bool charged;

	raw_spin_lock_irqsave(&lock, flags);
	leak(&user->new, NEW_A_MINUTE);
	charged = user->new.level + ONE <= NEW_BURST * ONE;
	if (!charged)
		ktally_quota_refuse(KTALLY_REFUSED_NEW);
	else
		charged = charge(user, KTALLY_SHARE_FILES);
	if (charged)
		user->new.level += ONE;
	raw_spin_unlock_irqrestore(&lock, flags);
	return charged;
}

bool ktally_quota_charge_number(struct ktally_user *user)
{
	unsigned long flags;
	bool charged;

	raw_spin_lock_irqsave(&lock, flags);
	leak(&numbers, NUMBERS_A_MINUTE);
	leak(&user->numbers, NUMBERS_A_MINUTE);
	charged = user->numbers.level + numbers.level + ONE <= NUMBERS_BURST * ONE;
	if (charged) {
		numbers.level += ONE;
		user->numbers.level += ONE;
	} else {
		ktally_quota_refuse(KTALLY_REFUSED_NUMBERS);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return charged;
}

/* ------------------------------------------------------------------------------------------------ from outside */

u32 ktally_quota_used(enum ktally_share share)
{
	return READ_ONCE(totals[share]);
}

u32 ktally_quota_limit(enum ktally_share share)
{
	return READ_ONCE(limits[share]);
}

u64 ktally_quota_refused(enum ktally_refusal cause)
{
	return atomic64_read(&refused[cause]);
}

const char *ktally_quota_name(enum ktally_refusal cause)
{
	return names[cause];
}

/* ------------------------------------------------------------------------------------------------ with no session */

void ktally_quota_restart(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	memset(users, 0, sizeof(users));
	numbers.level = 0;
	raw_spin_unlock_irqrestore(&lock, flags);
}
