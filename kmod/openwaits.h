/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Open waits: those that go on when the reader flushes, so that a task that hangs is seen, with its
 * stack, while it hangs.
 *
 * A task that sleeps cannot tell of itself, so it is looked at from outside. Its kernel stack is
 * read under the lock that whoever wakes it must take first, so that it stays asleep meanwhile; its
 * user stack through its address space, borrowed by a kernel worker, with page faults off: nothing
 * here ever waits for the task, for its memory, or for its locks, which may be why it hangs.
 */
#ifndef KTALLY_OPENWAITS_H
#define KTALLY_OPENWAITS_H

#include <linux/types.h>

struct ktally_session;
struct work_struct;

int ktally_openwaits_init(void);
void ktally_openwaits_exit(void);

/* With the session's lock: whether there is anything to tell of, which takes a worker. */
bool ktally_openwaits_are_told(const struct ktally_session *session);

/* Process context. Writes what there is to tell before it returns; `again`: also what was told already. -ENOMEM. */
int ktally_openwaits_tell(struct ktally_session *session, bool again);

/* The function of ktally_offcpu_session.tell. */
void ktally_openwaits_work(struct work_struct *work);

#endif /* KTALLY_OPENWAITS_H */
