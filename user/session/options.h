/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to sample and how, as ktallyd, ktally record and ktally top take it from their command lines. */
#ifndef KTALLY_SESSION_OPTIONS_H
#define KTALLY_SESSION_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/ktally.h>

#include "base/cpus.h"

enum session_cpus {
	SESSION_CPUS_DEFAULT,		/* all but isolated ones */
	SESSION_CPUS_GIVEN,
	SESSION_CPUS_ALL,
};

struct session_options {
	uint32_t rate, depth, ring_bytes, budget_ppm;	/* 0: the module's default */
	uint32_t latency_ms;				/* 0: session.c's default; no option of the command line */
	bool off_cpu;					/* waits too */
	uint64_t keep_ns, wait_min_ns;			/* of them, as in struct ktally_setup */
	bool kernel;					/* kernel frames; session_open() turns it off where they are not allowed */
	bool files;					/* user frames by file, stacks by unwind tables: out, as far as that is allowed */
	enum session_cpus cpus_wanted;
	struct cpus cpus;				/* SESSION_CPUS_GIVEN */
	struct cpus left_out;				/* out: CPUs that are not sampled */
	bool all;					/* every process of the host, or fail */
	bool confine;					/* the program gives up what this does not take, see confine/confine.h */
	__s32 pids[KTALLY_PIDS_MAX];
	uint32_t pid_count;
	__s32 cgroup_fds[KTALLY_CGROUPS_MAX];
	uint32_t cgroup_count;
	int device;					/* 0: it is opened; > 0: by somebody else, who could; < 0: why not, -errno */
};

enum session_option {
	SESSION_OPTION_DEPTH = 0x4000,
	SESSION_OPTION_NO_KERNEL,
	SESSION_OPTION_BUDGET,
	SESSION_OPTION_RING,
	SESSION_OPTION_OFF_CPU,
	SESSION_OPTION_WAIT_MIN,
	SESSION_OPTION_CPUS,
	SESSION_OPTION_NO_CONFINE,
};

/* For the tables of getopt_long(): how to sample, and whom. */
#define SESSION_SHORT_HOW	"F:"
#define SESSION_LONG_HOW							\
	{ "rate", required_argument, NULL, 'F' },				\
	{ "depth", required_argument, NULL, SESSION_OPTION_DEPTH },		\
	{ "no-kernel", no_argument, NULL, SESSION_OPTION_NO_KERNEL },		\
	{ "budget-ppm", required_argument, NULL, SESSION_OPTION_BUDGET },	\
	{ "ring-bytes", required_argument, NULL, SESSION_OPTION_RING },		\
	{ "off-cpu", optional_argument, NULL, SESSION_OPTION_OFF_CPU },		\
	{ "wait-min", required_argument, NULL, SESSION_OPTION_WAIT_MIN },	\
	{ "cpus", required_argument, NULL, SESSION_OPTION_CPUS }

/* For programs that sample by themselves. */
#define SESSION_LONG_RIGHTS							\
	{ "no-confine", no_argument, NULL, SESSION_OPTION_NO_CONFINE }

#define SESSION_SHORT_WHOM	"ap:G:"
#define SESSION_LONG_WHOM							\
	{ "all", no_argument, NULL, 'a' },					\
	{ "pid", required_argument, NULL, 'p' },				\
	{ "cgroup", required_argument, NULL, 'G' }

extern const char session_help_how[], session_help_whom[], session_help_here[];

void session_options_init(struct session_options *options);

/* 1: taken; 0: not one of these; -EINVAL: nonsense, and said so. */
int session_options_take(struct session_options *options, int option, const char *argument);

/* Contradictions between options. 0; -EINVAL: said so. */
int session_options_check(const struct session_options *options);

/* Once the session is open: the CPUs that it leaves out; NULL: there is none. */
const struct cpus *session_options_left_out(const struct session_options *options);

/* Closes what was opened for -G. */
void session_options_release(struct session_options *options);

#endif
