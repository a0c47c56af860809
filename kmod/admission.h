/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who takes how much of what all sessions share: places and memory. The unprivileged have a part of
 * both, of which no user has more than a half; so none of them can keep another out, nor all of them
 * those with CAP_PERFMON, for whom the last place is kept, too.
 *
 * And how often: setting up a session, starting it and changing its rate interrupt every CPU, and a user that closes
 * what it has set up can begin anew. So they are paced by user, who is remembered for a second beyond his sessions. So
 * is what a worker does for him, whom none of his cgroups' limits hold.
 *
 * tenant.h says who a user is.
 */
#ifndef KTALLY_ADMISSION_H
#define KTALLY_ADMISSION_H

#include <linux/types.h>

struct ktally_gate;
struct ktally_opener;

/**
 * struct ktally_admission - what a session takes
 * @user: whose share it is of; NULL: privileged, or not admitted
 * @bytes: of that share
 */
struct ktally_admission {
	struct ktally_opener *user;
	u64 bytes;
};

/* Process context. The gate stays open for as long. -EBUSY: no place; -EAGAIN: too soon; -ENOMEM. */
int ktally_admit(struct ktally_admission *admission, const struct ktally_gate *gate);
void ktally_dismiss(struct ktally_admission *admission);

/* Process context. Of the user's share; the memory limit of all is charged besides. -ENOMEM past it. */
int ktally_admission_charge(struct ktally_admission *admission, u64 bytes);
void ktally_admission_uncharge(struct ktally_admission *admission, u64 bytes);

/*
 * Process context, in who asks: whether its user may have every CPU interrupted once more, just now; or, where a
 * privileged session was handed to somebody who is not, whether he may.
 */
bool ktally_admission_may_interrupt(const struct ktally_admission *admission);

/*
 * The same: whether a worker may work for that user again, which it rests from after it has; and that it worked, and
 * for how many nanoseconds.
 */
bool ktally_admission_has_rested(const struct ktally_admission *admission);
void ktally_admission_worked(const struct ktally_admission *admission, u64 took);

/* Module exit. There is no session, but users may still be remembered. */
void ktally_admission_exit(void);

#endif /* KTALLY_ADMISSION_H */
