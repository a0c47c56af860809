/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bears on sampling on this host, as it is: facts without judgement, for check.c. */
#ifndef KTALLY_HOST_H
#define KTALLY_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/ktally.h>

#include "profile/refused.h"

#define OTHER_KERNELS_MAX	8

struct host {
	char release[128];		/* of the kernel; "" if not known */
	bool takes_modules;		/* the kernel was built to load modules */
	bool modules_disabled;		/* kernel.modules_disabled: none may be loaded until the next boot */
	bool module_loaded;
	bool module_off;		/* by its parameter "disabled" */
	char module_version[64];	/* of the loaded one */
	bool module_installed;		/* for this kernel, where modprobe finds it */
	bool module_builder;		/* ktally-module, which builds it for any kernel of this host */
	char module_verdict[256];	/* what came of its last build for this kernel; "": it was not tried */
	bool kernel_headers;		/* for this kernel */
	struct other_kernel {
		char release[128];
		char verdict[256];	/* why it has no module */
	} other_kernels[OTHER_KERNELS_MAX];	/* installed here, not running, and without this release's module */
	unsigned int other_kernel_count;

	int device_error;		/* of ktally_open(): 0 or -errno; what follows is valid when 0 */
	struct ktally_info info;
	int refused_error;		/* of refused_read(): 0 or -errno */
	struct refused refused;		/* since the module was loaded */

	char lockdown[32];		/* "none", "integrity", "confidentiality"; "": the kernel knows no lockdown */
	enum { SECURE_BOOT_UNKNOWN, SECURE_BOOT_OFF, SECURE_BOOT_ON } secure_boot;
	bool hardware_counters;
	uint64_t capabilities;		/* effective */
	int kernel_names_error;		/* 0; -EPERM: /proc/kallsyms shows no addresses; -errno */
	int kptr_restrict;		/* -1: not known */
	int io_uring_error;		/* 0 or -errno of setting one up */
	int io_uring_disabled;		/* kernel.io_uring_disabled; -1: there is no such setting */
	char cgroup2[256];		/* where it is mounted; "": nowhere */
	uint64_t memlock;		/* bytes, UINT64_MAX: no limit */
};

/*
 * Files are read below `root`, "" for the host itself; the device, io_uring and the limits are always those of this
 * process.
 */
void host_read(struct host *host, const char *root);

#endif
