/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bystander: a session of the whole host beside those that misbehave, and processes that come and go. It must not notice: its records
 * are checked as always, its losses counted, and what the others took must have come back.
 *
 * KTALLY_HOSTILE_SECONDS is for how long each test goes on (5).
 */
#ifndef KTALLY_TEST_BYSTANDER_H
#define KTALLY_TEST_BYSTANDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "device.h"

/**
 * struct bystander - the session, and what keeps the host busy
 * @session: everything on the CPU, of all
 * @churners: two processes
 * @begin: when it began
 */
struct bystander {
	struct session session;
	pid_t churners[2];
	uint64_t begin;
};

extern struct bystander bystander;

/* What a session can ask for at all, in rings that are soon full. */
extern const struct ktally_setup everything;

/* How long a test goes on; and whether that is over. */
double hostile_seconds(void);
bool is_over(void);

/* All return 0, -errno, or 1 when something was wrong, which is in bystander.session.error. */
int bystander_begin(void);
int bystander_drain(void);
int bystander_end(struct tally *total);

/* Bytes that the module has allotted; and whether, within some seconds, it has no more than these again, but for a little. */
long bystander_bytes(void);
bool bystander_is_alone(long bytes);

#endif /* KTALLY_TEST_BYSTANDER_H */
