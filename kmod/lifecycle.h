/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tasks being born, turning into another program, and ending: by tracepoints, found by name. They
 * tell the reader of programs early enough to look at them, and keep the filter's set of processes
 * true: from SETUP on, enabled or not, for a process number that is free again may soon be somebody
 * else's.
 */
#ifndef KTALLY_LIFECYCLE_H
#define KTALLY_LIFECYCLE_H

struct ktally_session;

int ktally_lifecycle_init(void);
int ktally_lifecycle_start(struct ktally_session *session);
void ktally_lifecycle_stop(struct ktally_session *session);

#endif /* KTALLY_LIFECYCLE_H */
