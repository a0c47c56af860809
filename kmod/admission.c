// SPDX-License-Identifier: GPL-2.0
#include "admission.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "area.h"
#include "gate.h"
#include "pace.h"
#include "sizes.h"
#include "tenant.h"

/* Each session costs a timer on every CPU, so their number is bounded. */
#define SESSIONS_MAX 16
#define SESSIONS_MAX_UNPRIVILEGED 4
#define SESSIONS_MAX_OF_USER (SESSIONS_MAX_UNPRIVILEGED / 2)

/**
 * struct ktally_opener - an unprivileged user with sessions, or who had one or used another's a short while ago
 * @entry: in the list of all
 * @tenant: see tenant.h
 * @sessions: he has
 * @bytes: these take
 * @setups: when he set sessions up
 * @interruptions: when he had every CPU interrupted since
 * @rested: when a worker may work for him again
 * @seen: when he was looked for
 */
struct ktally_opener {
	struct list_head entry;
	u32 tenant;
	u32 sessions;
	u64 bytes;
	struct ktally_pace setups;
	struct ktally_pace interruptions;
	u64 rested;
	u64 seen;
};

/* A worker rests so many times as long as it worked for a user. */
#define REST 9

static DEFINE_MUTEX(lock);			/* all that follows, and every session's admission */
static LIST_HEAD(users);
static u32 sessions, sessions_unprivileged;
static u64 bytes_unprivileged;

static void drop_opener(struct ktally_opener *user)
{
	list_del(&user->entry);
	kfree(user);
}

/* A pace looks back for a second; who was not seen for longer, and has nothing, is as good as new. */
static bool is_forgettable(const struct ktally_opener *user, u64 now)
{
	return !user->sessions && now - user->seen > NSEC_PER_SEC && now > user->rested;
}

static struct ktally_opener *find_opener(u32 tenant, u64 now)
{
	struct ktally_opener *user, *next, *found = NULL;

	lockdep_assert_held(&lock);
	list_for_each_entry_safe(user, next, &users, entry) {
		if (user->tenant == tenant)
			found = user;
		else if (is_forgettable(user, now))
			drop_opener(user);
	}
	return found;
}

/*
 * Before the lock is taken: memory may have to be reclaimed, in the caller's own cgroup, for as long as who fills that
 * likes, and everybody waits for the lock; so does a CPU that comes online.
 */
static struct ktally_opener *make_spare(void)
{
	return kzalloc(sizeof(struct ktally_opener), GFP_KERNEL_ACCOUNT);
}

/* One who is not remembered becomes *@spare. NULL: there is none. */
static struct ktally_opener *remember_opener(u32 tenant, u64 now, struct ktally_opener **spare)
{
	struct ktally_opener *user = find_opener(tenant, now);

	if (!user) {
		user = *spare;
		if (!user)
			return NULL;
		*spare = NULL;
		user->tenant = tenant;
		list_add(&user->entry, &users);
	}
	user->seen = now;
	return user;
}

static struct ktally_opener *admit_user(const struct ktally_gate *gate, struct ktally_opener **spare)
{
	u64 now = ktime_get_mono_fast_ns();
	struct ktally_opener *user = remember_opener(ktally_tenant_of(gate->cred, gate->pids), now, spare);

	if (!user)
		return ERR_PTR(-ENOMEM);
	if (sessions_unprivileged >= SESSIONS_MAX_UNPRIVILEGED || sessions >= SESSIONS_MAX - 1 ||
	    user->sessions >= SESSIONS_MAX_OF_USER)
		return ERR_PTR(-EBUSY);
	if (!ktally_pace_admits(&user->setups, now))
		return ERR_PTR(-EAGAIN);
	user->sessions++;
	sessions_unprivileged++;
	return user;
}

/* In a session that was opened with CAP_PERFMON, and handed on to who has less: a set-up that fails costs as much. */
static int pace_caller(struct ktally_opener **spare)
{
	u64 now = ktime_get_mono_fast_ns();
	struct ktally_opener *user = remember_opener(ktally_tenant_of_task(current), now, spare);

	if (!user)
		return -ENOMEM;
	return ktally_pace_admits(&user->setups, now) ? 0 : -EAGAIN;
}

int ktally_admit(struct ktally_admission *admission, const struct ktally_gate *gate)
{
	bool paced = !gate->privileged || !perfmon_capable();
	struct ktally_opener *spare = paced ? make_spare() : NULL, *user = NULL;
	int err = 0;

	*admission = (struct ktally_admission) {};
	mutex_lock(&lock);
	if (!gate->privileged)
		user = admit_user(gate, &spare);
	else if (sessions >= SESSIONS_MAX)
		err = -EBUSY;
	else if (paced)
		err = pace_caller(&spare);
	if (IS_ERR(user))
		err = PTR_ERR(user);
	if (!err) {
		admission->user = user;
		sessions++;
	}
	mutex_unlock(&lock);
	kfree(spare);
	return err;
}

/* The user stays for a second, for his pace. */
void ktally_dismiss(struct ktally_admission *admission)
{
	struct ktally_opener *user = admission->user;

	mutex_lock(&lock);
	sessions--;
	if (user) {
		sessions_unprivileged--;
		bytes_unprivileged -= admission->bytes;
		user->bytes -= admission->bytes;
		user->sessions--;
		user->seen = ktime_get_mono_fast_ns();
	}
	mutex_unlock(&lock);
	*admission = (struct ktally_admission) {};
}

int ktally_admission_charge(struct ktally_admission *admission, u64 bytes)
{
	u64 limit = ktally_memory_limit();
	int err = -ENOMEM;

	if (!admission->user)
		return 0;
	mutex_lock(&lock);
	if (admission->user->bytes + bytes <= ktally_share_of_user(limit) &&
	    bytes_unprivileged + bytes <= ktally_share_of_unprivileged(limit)) {
		admission->user->bytes += bytes;
		bytes_unprivileged += bytes;
		admission->bytes += bytes;
		err = 0;
	}
	mutex_unlock(&lock);
	return err;
}

void ktally_admission_uncharge(struct ktally_admission *admission, u64 bytes)
{
	if (!admission->user)
		return;
	mutex_lock(&lock);
	admission->user->bytes -= bytes;
	bytes_unprivileged -= bytes;
	admission->bytes -= bytes;
	mutex_unlock(&lock);
}

/* ------------------------------------------------------------------------------------------------ paces */

/* Not those of who may do more to the host than this, in a session of the like. */
static bool is_paced(const struct ktally_admission *admission)
{
	return admission->user || !perfmon_capable();
}

/* Whose pace counts: the session's user's, or, in one that was opened with CAP_PERFMON, the caller's. With the lock. */
static struct ktally_opener *lock_opener(const struct ktally_admission *admission, u64 *now)
{
	struct ktally_opener *spare = admission->user ? NULL : make_spare(), *user = admission->user;

	mutex_lock(&lock);
	*now = ktime_get_mono_fast_ns();
	if (!user)
		user = remember_opener(ktally_tenant_of_task(current), *now, &spare);
	kfree(spare);
	return user;
}

bool ktally_admission_may_interrupt(const struct ktally_admission *admission)
{
	struct ktally_opener *user;
	bool may;
	u64 now;

	if (!is_paced(admission))
		return true;
	user = lock_opener(admission, &now);
	may = user && ktally_pace_admits(&user->interruptions, now);
	mutex_unlock(&lock);
	return may;
}

bool ktally_admission_has_rested(const struct ktally_admission *admission)
{
	struct ktally_opener *user;
	bool rested;
	u64 now;

	if (!is_paced(admission))
		return true;
	user = lock_opener(admission, &now);
	rested = user && now >= user->rested;
	mutex_unlock(&lock);
	return rested;
}

void ktally_admission_worked(const struct ktally_admission *admission, u64 took)
{
	struct ktally_opener *user;
	u64 now;

	if (!is_paced(admission))
		return;
	user = lock_opener(admission, &now);
	if (user)
		user->rested = max(user->rested, now) + REST * took;
	mutex_unlock(&lock);
}

void ktally_admission_exit(void)
{
	struct ktally_opener *user, *next;

	list_for_each_entry_safe(user, next, &users, entry)
		drop_opener(user);
}
