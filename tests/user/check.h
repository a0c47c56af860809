/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test results in TAP with kselftest's exit codes: 0 passed, 1 failed, 4 skipped. A test is a program:
 *
 *	#include "check.h"
 *
 *	int main(void)
 *	{
 *		check(buffer.bytes == 3, "three bytes after appending %s", "abc");
 *		check_number(buffer.bytes, 3, "three bytes");
 *		check_string(buffer.data, "abc", "what was appended");
 *		return check_end();
 *	}
 *
 * Each check prints its line; a failed one says where it stands and what it saw, and the test goes on. All macros
 * return whether the check passed, for those that cannot go on. A test that ends without check_end() prints no plan and
 * has failed.
 */
#ifndef KTALLY_CHECK_H
#define KTALLY_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	unsigned int passed, failed, skipped;
} check_counts;

__attribute__((format(printf, 3, 4)))
static inline bool check_line(bool passed, const char *directive, const char *format, ...)
{
	unsigned int number = check_counts.passed + check_counts.failed + check_counts.skipped + 1;
	va_list arguments;

	if (number == 1)
		printf("TAP version 13\n");
	printf("%s %u ", passed ? "ok" : "not ok", number);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("%s%s\n", directive ? " # SKIP " : "", directive ? directive : "");
	if (directive)
		check_counts.skipped++;
	else if (passed)
		check_counts.passed++;
	else
		check_counts.failed++;
	fflush(stdout);
	return passed;
}

static inline bool check_failed(const char *file, int line, const char *what)
{
	printf("# %s:%d: %s\n", file, line, what);
	fflush(stdout);
	return false;
}

static inline bool check_saw_number(const char *file, int line, long long saw, long long wanted)
{
	printf("# %s:%d: saw %lld (%#llx), wanted %lld (%#llx)\n", file, line, saw, saw, wanted, wanted);
	fflush(stdout);
	return false;
}

static inline bool check_saw_string(const char *file, int line, const char *saw, const char *wanted)
{
	printf("# %s:%d: saw \"%s\", wanted \"%s\"\n", file, line, saw ? saw : "(null)", wanted ? wanted : "(null)");
	fflush(stdout);
	return false;
}

static inline bool check_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Every one takes what it checks, then the name of the check as printf() does. */
#define check(condition, ...) ({									\
	bool check_result = (condition);								\
	check_line(check_result, NULL, __VA_ARGS__) || check_failed(__FILE__, __LINE__, #condition);	\
})

#define check_number(saw, wanted, ...) ({								\
	long long check_saw = (long long)(saw), check_wanted = (long long)(wanted);			\
	check_line(check_saw == check_wanted, NULL, __VA_ARGS__) ||					\
		check_saw_number(__FILE__, __LINE__, check_saw, check_wanted);				\
})

#define check_string(saw, wanted, ...) ({								\
	const char *check_saw = (saw), *check_wanted = (wanted);					\
	check_line(check_same(check_saw, check_wanted), NULL, __VA_ARGS__) ||				\
		check_saw_string(__FILE__, __LINE__, check_saw, check_wanted);				\
})

/* Something that cannot be tried here: why, then its name. */
#define check_skip(why, ...)	check_line(true, why, __VA_ARGS__)

/* The plan comes last. The program's exit status. */
static inline int check_end(void)
{
	printf("1..%u\n", check_counts.passed + check_counts.failed + check_counts.skipped);
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n", check_counts.passed, check_counts.failed,
	       check_counts.skipped);
	fflush(stdout);
	if (check_counts.failed)
		return 1;
	if (!check_counts.passed)
		return check_counts.skipped ? 4 : 1;	/* checked nothing: that is no success */
	return 0;
}

#endif
