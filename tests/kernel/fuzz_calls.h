/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KTALLY_TEST_FUZZ_CALLS_H
#define KTALLY_TEST_FUZZ_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/* A process that makes random calls. */
struct worker {
	uint64_t seed;
	uint64_t calls;
	bool privileged;
};

/* Its whole life; takes a struct worker. Returns its exit status. */
int run_worker(void *argument);

#endif /* KTALLY_TEST_FUZZ_CALLS_H */
