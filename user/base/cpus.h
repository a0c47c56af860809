/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of CPUs, and how people and the kernel write one: "0-3,8". */
#ifndef KTALLY_CPUS_H
#define KTALLY_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define CPUS_MOST	65536
#define CPUS_WORDS	(CPUS_MOST / 64)

/* Bit c % 64 of word c / 64 is CPU c, as <linux/ktally.h> has them. */
struct cpus {
	uint64_t words[CPUS_WORDS];
};

/* Numbers and ranges, separated by commas; "" and a newline at the end are fine. 0; -EINVAL: not that; -ERANGE: beyond CPUS_MOST. */
int cpus_parse(struct cpus *cpus, const char *text);

/* The same of a file of the kernel, such as /sys/devices/system/cpu/online. Or -errno of reading it. */
int cpus_read(struct cpus *cpus, const char *path);

void cpus_format(struct buffer *text, const struct cpus *cpus);

static inline bool cpus_has(const struct cpus *cpus, uint64_t number)
{
	return number < CPUS_MOST && cpus->words[number / 64] >> number % 64 & 1;
}

/* How many there are; of them, in another set, too (NULL: all); and one more than the largest number. */
size_t cpus_count(const struct cpus *cpus, const struct cpus *among);
size_t cpus_end(const struct cpus *cpus);

#endif
