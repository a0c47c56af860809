/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each user may have of what all share: known files and their numbers, address spaces, and files that are held.
 *
 * Nobody has a fixed part. A user may take one more as long as it has fewer than are free: alone it gets half
 * of all, n users that take what they can get 1/(n + 1) each, and as much is left for whoever comes next. So
 * there is nothing to configure, and who uses it all up does so for itself.
 *
 * tenant.h says who a user is.
 *
 * What is refused is counted, by cause. Frames then stay addresses.
 */
#ifndef KTALLY_QUOTA_H
#define KTALLY_QUOTA_H

#include <linux/types.h>

struct ktally_user;
struct task_struct;

/* What there is a number of: see limits[]. */
enum ktally_share {
	KTALLY_SHARE_FILES,
	KTALLY_SHARE_SPACES,
	KTALLY_SHARE_HOLDS,
	KTALLY_SHARES
};

/* Why something was refused: the first are those shares. */
enum ktally_refusal {
	KTALLY_REFUSED_NEW = KTALLY_SHARES,	/* new files of a user in a second */
	KTALLY_REFUSED_NUMBERS,			/* file numbers */
	KTALLY_REFUSED_LOOKUPS,			/* look-ups of mappings in one stack */
	KTALLY_REFUSED_MAPPINGS,		/* mappings that one stack goes through */
	KTALLY_REFUSED_STOCK,			/* files and spaces for which no memory was ready */
	KTALLY_REFUSALS
};

/* Any context but NMI, while nobody has anything: all users are as new, and numbers begin again. */
void ktally_quota_restart(void);

/*
 * Any context but NMI. One more for the user whose the task is, or for a user that has something; who is charged
 * stays for as long as it has anything. NULL, false: refused, and counted.
 */
struct ktally_user *ktally_quota_charge_task(struct task_struct *task, enum ktally_share share);
bool ktally_quota_charge(struct ktally_user *user, enum ktally_share share);
void ktally_quota_uncharge(struct ktally_user *user, enum ktally_share share);

/* The same for a file, which is new; and for its number, which is never given back. */
bool ktally_quota_charge_new_file(struct ktally_user *user);
bool ktally_quota_charge_number(struct ktally_user *user);

/* The module itself, which has what it has for all. */
struct ktally_user *ktally_quota_module(void);

/* Any context. */
void ktally_quota_refuse(enum ktally_refusal cause);

/* Any context: how many there are of all users, and how many there can be. */
u32 ktally_quota_used(enum ktally_share share);
u32 ktally_quota_limit(enum ktally_share share);

/* Since the module was loaded. And what a cause is called in fdinfo. */
u64 ktally_quota_refused(enum ktally_refusal cause);
const char *ktally_quota_name(enum ktally_refusal cause);

#endif /* KTALLY_QUOTA_H */
