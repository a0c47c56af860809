/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tally added up along one dimension: by process, by library, by system call, by area and what that is part of. */
#ifndef KTALLY_SHARES_H
#define KTALLY_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tally/tally.h"

struct share {
	const char *name;		/* interned */
	uint64_t weight;		/* ns */
	const char *most;		/* of the details that the share has, the heaviest; interned */
	uint64_t most_weight;
};

/* What a row of the tally counts for; false: for nothing along this dimension. */
typedef bool shares_dimension(const struct tally_row *row, const char **name, const char **detail);

shares_dimension shares_by_process;	/* details: areas */
shares_dimension shares_by_service;	/* of owners; details: processes */
shares_dimension shares_by_container;	/* by the names of pods and containers if they are known; details: services */
shares_dimension shares_by_waiting_service;	/* waits that are not idle: whose; details: causes */
shares_dimension shares_by_waiting_container;
shares_dimension shares_by_code;	/* user code: libraries, programs, runtimes; details: processes */
shares_dimension shares_by_syscall;	/* details: areas */
shares_dimension shares_by_cause;	/* waits that are not idle: why; details: processes */
shares_dimension shares_by_idle_cause;	/* idle waits */

/* Whether there are services that are more than the names of processes. */
bool shares_have_services(const struct tally *tally);

/* Heaviest first. To be freed. */
struct share *shares_of(const struct tally *tally, shares_dimension *dimension, size_t *count);

struct area {
	const char *name;		/* its last part, or several if there is no other: "network/tcp"; interned */
	unsigned int level;
	uint64_t weight;
};

/* Areas in the order of a tree: heaviest first, each before its parts; only the kernel is taken apart. To be freed. */
struct area *shares_of_areas(const struct tally *tally, size_t *count);

#endif
