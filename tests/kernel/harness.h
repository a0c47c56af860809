/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own test harness, with the patience that an emulated CPU needs. */
#ifndef KTALLY_TEST_HARNESS_H
#define KTALLY_TEST_HARNESS_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600

/* A checked kernel runs everything a few times slower: tests last shorter there. */
static inline bool is_slow(void)
{
	return !access("/proc/lockdep", F_OK);
}

#endif /* KTALLY_TEST_HARNESS_H */
