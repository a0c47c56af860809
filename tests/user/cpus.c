// SPDX-License-Identifier: GPL-2.0-or-later
/* base/cpus.h: lists of CPUs as people and the kernel write them. */
#include <errno.h>
#include <string.h>

#include "base/cpus.h"
#include "check.h"

static struct cpus cpus, others;

/* What is written of what was read. */
static const char *again(const char *text)
{
	static char result[256];
	struct buffer buffer = { 0 };

	if (cpus_parse(&cpus, text))
		return "refused";
	cpus_format(&buffer, &cpus);
	snprintf(result, sizeof(result), "%s", buffer.data ? buffer.data : "");
	buffer_free(&buffer);
	return result;
}

static void lists(void)
{
	check_string(again("0"), "0", "one CPU");
	check_string(again("0-3,8\n"), "0-3,8", "as the kernel writes them");
	check_string(again("8,2,1,0,3"), "0-3,8", "in any order");
	check_string(again("1-2,2-5"), "1-5", "ranges that overlap");
	check_string(again("5-5"), "5", "a range of one");
	check_string(again("63-64,65535"), "63-64,65535", "across words, and the last");
	check_string(again("0-65535"), "0-65535", "all that there can be");
	check_string(again(""), "", "none");
	check_string(again("\n"), "", "none, as the kernel writes it");
}

static void refusals(void)
{
	static const char *const wrong[] = {
		"all", "-1", "1-", "-", ",", "1,", ",1", "1,,2", "1 2", " 1", "1-2-3", "3-1", "0x1", "1\n2", "1,\n", "+1", "1:2", "1/2",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check_number(cpus_parse(&cpus, wrong[i]), -EINVAL, "\"%s\" is no list", wrong[i]);
	check_number(cpus_parse(&cpus, "65536"), -ERANGE, "too large a number");
	check_number(cpus_parse(&cpus, "0-99999999999999999999999"), -ERANGE, "far too large a number");
	check_number(cpus_read(&cpus, "/nonexistent"), -ENOENT, "no file");
}

static void counts(void)
{
	check_number(cpus_parse(&cpus, "1-4,70"), 0, "a list");
	check_number(cpus_parse(&others, "4-70"), 0, "another");
	check_number((long long)cpus_count(&cpus, NULL), 5, "how many");
	check_number((long long)cpus_count(&cpus, &others), 2, "how many in both");
	check_number((long long)cpus_end(&cpus), 71, "behind the last");
	check(cpus_has(&cpus, 70) && !cpus_has(&cpus, 5) && !cpus_has(&cpus, CPUS_MOST) && !cpus_has(&cpus, UINT64_MAX), "which");
	memset(&cpus, 0, sizeof(cpus));
	check_number((long long)cpus_end(&cpus), 0, "behind none");
	check_number(cpus_read(&cpus, "/sys/devices/system/cpu/online"), 0, "the kernel's own");
	check(cpus_count(&cpus, NULL) > 0, "has a CPU");
}

int main(void)
{
	lists();
	refusals();
	counts();
	return check_end();
}
