/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stack is about. The first group has the values that Elastic's profilingmetrics connector gives, so that dashboards
 * made for it work; the second goes beyond it. All strings are interned or constant; NULL: does not apply.
 */
#ifndef KTALLY_CLASS_H
#define KTALLY_CLASS_H

struct class {
	const char *runtime;		/* of the leaf frame: "kernel", "native", "cpython", "jvm", "go", "v8js", "php", "perl", "ruby", "dotnet", "beam", "rust" */
	const char *kernel_area;	/* "network", "ipc", "disk", "memory", "synchronization" */
	const char *kernel_proto;	/* "tcp", "udp", "other": with area network */
	const char *kernel_io;		/* "read", "write": with areas network, ipc, disk */
	const char *syscall_name;	/* from the frames; a sample's own syscall number is better and goes first */
	const char *shlib_name;		/* trimmed name of the leaf's shared library, version-free: "libcrypto" */

	const char *area;		/* one name for everything, for breakdowns and colours: "kernel/network/tcp/write", "kernel/disk/write",
					   "kernel/other", "native/libcrypto", "native/openssl" (an executable), "cpython", "unknown" */
	const char *caller;		/* of a stack whose leaf is in the kernel: area of the user code that called it, if not by itself
					   the C library */
	const char *cause;		/* of a wait, else NULL: why the task did not run, see wait.h; the rest is where it waited */
};

#endif
