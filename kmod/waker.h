/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who ends a wait. Only the waker itself can say where it is, and only while it wakes, before it is
 * known whether the wait will be kept: so it is asked only for a wait that is sure to be.
 */
#ifndef KTALLY_WAKER_H
#define KTALLY_WAKER_H

struct task_struct;

/* The probe of sched_waking; @data is the session. */
void ktally_on_waking(void *data, struct task_struct *task);

#endif /* KTALLY_WAKER_H */
