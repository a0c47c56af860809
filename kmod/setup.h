/* SPDX-License-Identifier: GPL-2.0 */
/* What a session may be set up as: bounds, and what stands for fields that are zero. */
#ifndef KTALLY_SETUP_H
#define KTALLY_SETUP_H

#include <linux/types.h>

struct ktally_session;
struct ktally_setup;

/* Process context; the session's CPUs are chosen. Fills in defaults. 0, -EINVAL, or -EPERM. */
int ktally_setup_check(const struct ktally_session *session, struct ktally_setup *setup);

/* What the session takes besides its CPUs' parts. */
u64 ktally_setup_bytes(const struct ktally_setup *setup);

/* Highest rate and largest rings it may have. */
u32 ktally_setup_rate_max(const struct ktally_session *session);
u32 ktally_setup_ring_bytes_max(const struct ktally_session *session);

#endif /* KTALLY_SETUP_H */
