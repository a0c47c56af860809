/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who waits already when a session is enabled. They are put into the table of waits before the probes
 * are there, while nobody else uses it; what happens to them until the probes see it is corrected then.
 */
#ifndef KTALLY_SLEEPERS_H
#define KTALLY_SLEEPERS_H

struct ktally_session;

/* Process context, with the session's lock held: before the probes are registered, and after. */
void ktally_sleepers_add(struct ktally_session *session);
void ktally_sleepers_correct(struct ktally_session *session);

#endif /* KTALLY_SLEEPERS_H */
