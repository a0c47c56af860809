/* SPDX-License-Identifier: GPL-2.0 */
/* A process without rights, or with just some. */
#ifndef KTALLY_TEST_NOBODY_H
#define KTALLY_TEST_NOBODY_H

#include <stdint.h>

#include <linux/capability.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

#define NOBODY 65534

/* Only these capabilities are left to the calling process: bits by number. */
void set_capabilities(uint64_t capabilities);

/* The same, and all its ids are those of nobody. It may dump core, and dies with its parent. */
void become_nobody(uint64_t capabilities);

#endif /* KTALLY_TEST_NOBODY_H */
