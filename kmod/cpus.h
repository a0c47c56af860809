/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session's CPUs: which it samples, and their coming and going. On the others nothing of the
 * session runs but the probes that are the whole host's: whoever isolates CPUs does so for what must
 * not be interrupted there, so they are left out unless they are asked for by name.
 *
 * A CPU that comes online is wanted by its host more than by a session. So where its part cannot be
 * made or its counter not be started it comes all the same, is dark to the session, and is tried
 * again later, see ktally_cpus_retry().
 */
#ifndef KTALLY_CPUS_H
#define KTALLY_CPUS_H

#include <linux/cpumask.h>
#include <linux/types.h>

struct ktally_session;
struct ktally_setup;

int ktally_cpus_init(void);
void ktally_cpus_exit(void);

/* All in process context, under session->lock. Fills in session->sampled. */
int ktally_cpus_choose(struct ktally_session *session, const struct ktally_setup *setup);

/* Parts for those that are online; and none for any. */
int ktally_cpus_attach(struct ktally_session *session);
void ktally_cpus_release(struct ktally_session *session);

/*
 * Samples them, and those that come online from now on; when stop returns, none is sampled any more. Fails where one
 * that has a part cannot be started; one that could get none is dark.
 */
int ktally_cpus_start(struct ktally_session *session);
void ktally_cpus_stop(struct ktally_session *session);

/* While started: looks whether all count, and tries those that are dark. */
void ktally_cpus_retry(struct ktally_session *session);

/* What was sampled before, and which waits ended, is written when this returns. */
void ktally_cpus_settle(struct ktally_session *session);

/* On each that has a part: there, interrupts off, or for it when it is offline. */
void ktally_cpus_call(struct ktally_session *session, void (*function)(void *cpu));

/* Any process context, once the session is set up: which are dark now; may be a moment old. */
bool ktally_cpus_is_dark(const struct ktally_session *session, unsigned int number);
u32 ktally_cpus_count_dark(const struct ktally_session *session);

#endif /* KTALLY_CPUS_H */
