// SPDX-License-Identifier: GPL-2.0
#include "admission.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uidgid.h>

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
 * struct ktally_opener - an unprivileged user with sessions
 * @entry: in the list of all
 * @id: see tenant.h
 * @sessions: he has
 * @bytes: these take
 */
struct ktally_opener {
	struct list_head entry;
	kuid_t id;
	u32 sessions;
	u64 bytes;
};

/*
 * A place is that of all users whose ids come to it by a key, so that nobody can choose whom to share one with; and
 * nothing has to be remembered of users.
 */
#define PACES 64

/**
 * struct paces - how often something was done
 * @setups: sessions set up
 * @interruptions: of every CPU, since
 */
struct paces {
	struct ktally_pace setups;
	struct ktally_pace interruptions;
};

static DEFINE_MUTEX(lock);			/* all that follows, and every session's admission */
static struct paces paces[PACES];
static LIST_HEAD(users);
static u32 sessions, sessions_unprivileged;
static u64 bytes_unprivileged;

static struct ktally_opener *find(kuid_t id)
{
	struct ktally_opener *user;

	lockdep_assert_held(&lock);
	list_for_each_entry(user, &users, entry)
		if (uid_eq(user->id, id))
			return user;
	return NULL;
}

static struct paces *paces_of(kuid_t id)
{
	static siphash_key_t key;

	lockdep_assert_held(&lock);
	if (siphash_key_is_zero(&key))
		get_random_bytes(&key, sizeof(key));
	return &paces[siphash_1u32(__kuid_val(id), &key) % PACES];
}

/* One who has no session yet has no entry: *@spare becomes it. */
static struct ktally_opener *admit_user(const struct ktally_gate *gate, struct ktally_opener **spare)
{
	kuid_t id = ktally_tenant_of(gate->cred);
	struct ktally_opener *user = find(id);

	if (sessions_unprivileged >= SESSIONS_MAX_UNPRIVILEGED || sessions >= SESSIONS_MAX - 1 ||
	    (user && user->sessions >= SESSIONS_MAX_OF_USER))
		return ERR_PTR(-EBUSY);
	if (!ktally_pace_admits(&paces_of(id)->setups, ktime_get_mono_fast_ns()))
		return ERR_PTR(-EAGAIN);
	if (!user) {
		user = *spare;
		*spare = NULL;
		user->id = id;
		list_add(&user->entry, &users);
	}
	user->sessions++;
	sessions_unprivileged++;
	return user;
}

int ktally_admit(struct ktally_admission *admission, const struct ktally_gate *gate)
{
	struct ktally_opener *user = NULL, *spare = NULL;
	int err = 0;

	*admission = (struct ktally_admission) {};
	if (!gate->privileged) {
		spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
		if (!spare)
			return -ENOMEM;
	}
	mutex_lock(&lock);
	if (!gate->privileged)
		user = admit_user(gate, &spare);
	else if (sessions >= SESSIONS_MAX)
		err = -EBUSY;
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

void ktally_dismiss(struct ktally_admission *admission)
{
	struct ktally_opener *user = admission->user;

	mutex_lock(&lock);
	sessions--;
	if (user) {
		sessions_unprivileged--;
		bytes_unprivileged -= admission->bytes;
		user->bytes -= admission->bytes;
		if (!--user->sessions) {
			list_del(&user->entry);
			kfree(user);
		}
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

bool ktally_admission_may_interrupt(const struct ktally_admission *admission)
{
	kuid_t id;
	bool may;

	if (!admission->user && perfmon_capable())
		return true;
	id = admission->user ? admission->user->id : ktally_tenant_of(current_cred());
	mutex_lock(&lock);
	may = ktally_pace_admits(&paces_of(id)->interruptions, ktime_get_mono_fast_ns());
	mutex_unlock(&lock);
	return may;
}
