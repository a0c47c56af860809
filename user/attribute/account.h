/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time by the kernel's own account, to compare with what samples say: of the host and of cgroups (usage_usec of cpu.stat, with
 * all that is below). Of the host it is the time for which CPUs had a task, which the scheduler measures in nanoseconds
 * (/proc/schedstat); where there is none, /proc/stat (user, nice, system, irq and softirq), which counts ticks, and may be off by
 * some percent in a second or two, and by more on a host that loses ticks.
 */
#ifndef KTALLY_ACCOUNT_H
#define KTALLY_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpus.h"

struct account {
	uint64_t charged, sampled;	/* ns since the first reading, up to the last: by the kernel, by samples */
	uint64_t charged_last, sampled_last;	/* what was read last */
	uint64_t charged_exported, sampled_exported;	/* how much has gone out: the exporter's */
	uint64_t charge;		/* by the kernel since whenever; samples of that time are still to come */
	bool is_charged;		/* `charge` was read */
	bool begun;
};

/* The samples up to the charge have come: goes on from the last time, or begins; without a charge it ends. */
void account_compare(struct account *account, uint64_t sampled);

/* Adds what somebody else read. */
void account_add(struct account *account, uint64_t charged, uint64_t sampled);

/* Text of /proc/schedstat, /proc/stat and cpu.stat in ns; without these CPUs (NULL: all count). 0; -EBADMSG: it is not that. */
int account_of_scheduler(const char *text, const struct cpus *left_out, uint64_t *nanoseconds);
int account_of_host(const char *text, const struct cpus *left_out, uint64_t ticks_per_second, uint64_t *nanoseconds);
int account_of_cgroup(const char *text, uint64_t *nanoseconds);

/* The same of this host, now. 0 or -errno. */
int account_read_host(const struct cpus *left_out, uint64_t *nanoseconds);
int account_read_cgroup(const char *mount, const char *path, uint64_t *nanoseconds);

#endif
