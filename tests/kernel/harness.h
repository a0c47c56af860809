/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own test harness, with the patience that an emulated CPU needs. */
#ifndef KTALLY_TEST_HARNESS_H
#define KTALLY_TEST_HARNESS_H

#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
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

/* With PREEMPT_RT a mapping can be looked at by a worker only, a moment after the first sample in it. */
static inline bool is_realtime(void)
{
	struct utsname name;

	return !uname(&name) && strstr(name.version, "PREEMPT_RT");
}

/* Where every instruction is emulated fewer things happen in the same time, and no more is seen for waiting longer. */
static inline bool is_emulated(void)
{
	unsigned int eax, name[3] = {};

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

/* How much, where who runs the test by hand may say so in the environment. */
static inline uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

#endif /* KTALLY_TEST_HARNESS_H */
