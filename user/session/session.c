// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "base/buffer.h"
#include "base/cpus.h"
#include "base/message.h"
#include "confine/opener.h"
#include "session/session.h"

#define LATENCY_MS 100

/* A second has room for KTALLY_CALLS_PER_SECOND. Without CAP_PERFMON, tens of thousands of threads take longer. */
#define FLUSH_PAUSE_NS	20000000
#define FLUSH_PATIENCE	1000

#define CPUS_POSSIBLE	"/sys/devices/system/cpu/possible"

#define SWITCH "/sys/module/ktally/parameters/disabled"

static int explain_open(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		message_error("there is no " KTALLY_DEVICE_PATH ": the kernel module is not loaded: "
			      "`modprobe ktally` loads it, `ktally check` tells what is missing");
		return EXIT_UNAVAILABLE;
	case -EACCES:
	case -EPERM:
		message_error("not allowed to open " KTALLY_DEVICE_PATH ": run as root, or let an administrator give you "
			      "rights to the device");
		return EXIT_PERMISSION;
	case -EPROTO:
	case -ENOTTY:
		message_error("the loaded kernel module speaks another version of the interface than this program (%d): "
			      "install both from the same release and load the module anew (`rmmod ktally; modprobe ktally`)",
			      KTALLY_ABI_VERSION);
		return EXIT_UNAVAILABLE;
	case -EBUSY:
		message_error(KTALLY_DEVICE_PATH " is busy: close other sessions (`fuser -v " KTALLY_DEVICE_PATH "` lists them)");
		return EXIT_BUSY;
	default:
		message_error("cannot open " KTALLY_DEVICE_PATH ": %s", strerror(-error));
		return EXIT_UNAVAILABLE;
	}
}

static int explain_set_up(int error, const struct session_options *options)
{
	switch (error) {
	case -EBUSY:
		message_error("too many sessions of ktally are open, of all or of yours without CAP_PERFMON: close others "
			      "(`fuser -v " KTALLY_DEVICE_PATH "` lists them)");
		return EXIT_BUSY;
	case -EAGAIN:
		message_error("you have set up %u sessions of ktally in the last second, which is all you may without CAP_PERFMON: "
			      "try again in a second", KTALLY_CALLS_PER_SECOND);
		return EXIT_BUSY;
	case -ENXIO:
		message_error("none of the CPUs to be sampled is online: /sys/devices/system/cpu/online says which are, and "
			      "isolated ones must be asked for with --cpus");
		return EXIT_USAGE;
	case -EPERM:
		if (options->cpus_wanted != SESSION_CPUS_DEFAULT) {
			message_error("--cpus: not allowed to sample isolated CPUs: that needs CAP_PERFMON");
			return EXIT_PERMISSION;
		}
		message_error("not allowed: sampling needs CAP_PERFMON (run as root, or give the program that capability)");
		return EXIT_PERMISSION;
	case -ESRCH:
		if (options->pid_count == 1)
			message_error("there is no process %d", options->pids[0]);
		else
			message_error("one of the processes given with -p does not exist");
		return EXIT_USAGE;
	case -EBADF:
		message_error("-G: not a cgroup v2 directory: name one below the cgroup v2 mount, usually /sys/fs/cgroup "
			      "(`stat -f -c %%T DIRECTORY` says cgroup2fs for those)");
		return EXIT_USAGE;
	case -ENOMEM:
		message_error("no memory for the rings: ask for less with --ring-bytes, close other sessions, or raise "
			      "/sys/module/ktally/parameters/memory_limit_mb");
		return EXIT_BUSY;
	case -E2BIG:
		message_error("the loaded kernel module is older than this program and lacks something it asks for: "
			      "load the module of the same release");
		return EXIT_UNAVAILABLE;
	case -EPROTO:
		message_error("the kernel module laid out its rings in a way this program does not understand: "
			      "install both from the same release");
		return EXIT_UNAVAILABLE;
	default:
		message_error("cannot set up a session of ktally: %s", strerror(-error));
		return EXIT_FAILED;
	}
}

/* What the module would answer with a mere -EINVAL. */
static int check_bounds(const struct ktally_info *info, const struct session_options *options)
{
	if (options->rate && (options->rate < info->rate_min || options->rate > info->rate_max))
		message_error("--rate %u: this module samples at %u to %u Hz", options->rate, info->rate_min, info->rate_max);
	else if (options->depth > info->depth_max)
		message_error("--depth %u: this module takes at most %u frames", options->depth, info->depth_max);
	else if (options->ring_bytes && (options->ring_bytes < info->ring_bytes_min || options->ring_bytes > info->ring_bytes_max))
		message_error("--ring-bytes %u: you may ask for %u to %u bytes", options->ring_bytes, info->ring_bytes_min,
			      info->ring_bytes_max);
	else if (!(info->features & KTALLY_FEATURE_ONCPU))
		message_error("this kernel module cannot sample CPUs: load another");
	else if (options->off_cpu && !(info->features & KTALLY_FEATURE_OFFCPU))
		message_error("--off-cpu: this kernel module cannot follow waits: load the one of this release");
	else
		return EXIT_OK;
	return EXIT_USAGE;
}

/* Rights are the module's to judge; this is about telling the user beforehand what that will mean. */
static int check_rights(const struct ktally_info *info, struct session_options *options)
{
	bool privileged = info->allowed & KTALLY_ALLOWED_ALL_PROCESSES;

	if (!privileged && options->all) {
		message_error("not allowed to sample every process: that needs CAP_PERFMON "
			      "(run as root, or give the program that capability)");
		return EXIT_PERMISSION;
	}
	if (!privileged)
		message_warning("without CAP_PERFMON only your own processes are sampled, without kernel frames");
	else if (options->kernel && !(info->allowed & KTALLY_ALLOWED_KERNEL_FRAMES))
		message_warning("no kernel frames: the kernel is locked down (/sys/kernel/security/lockdown) or a security module "
				"forbids them; user frames are sampled");
	if (!(info->allowed & KTALLY_ALLOWED_KERNEL_FRAMES))
		options->kernel = false;
	return EXIT_OK;
}

/* Opening the files of others' code takes more than sampling them does. */
static bool may_open_files(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &header, data) && data[0].effective & 1U << CAP_SYS_PTRACE;
}

/* Without files, user frames are addresses, named through /proc/PID/maps, and stacks are unwound by frame pointers. */
static void choose_files(const struct ktally_info *info, struct session_options *options)
{
	const uint64_t features = KTALLY_FEATURE_FILES | KTALLY_FEATURE_TABLES;

	options->files = (info->features & features) == features && info->allowed & KTALLY_ALLOWED_ALL_PROCESSES &&
			 may_open_files();
	if (!options->files && info->allowed & KTALLY_ALLOWED_ALL_PROCESSES)
		message_warning("user stacks of programs without frame pointers will break off: unwinding them needs %s",
				(info->features & features) == features ? "CAP_SYS_PTRACE" : "a newer kernel module");
}

/*
 * The module's times are the host's, and those that this process is told have the offsets of its time namespace: three columns, "boottime
 * 1000 0", one line for each clock.
 */
static bool has_own_time(void)
{
	struct buffer text = { 0 };
	bool has = false;

	if (!buffer_read_file(&text, "/proc/self/timens_offsets", 4096) && text.bytes) {
		for (const char *line = text.data; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
			long seconds, nanoseconds;

			has |= sscanf(line, "%*s %ld %ld", &seconds, &nanoseconds) == 2 && (seconds || nanoseconds);
		}
	}
	buffer_free(&text);
	return has;
}

static int open_device(struct ktally_session **session, const struct session_options *options)
{
	int fd = options->device ? options->device : opener_open(KTALLY_DEVICE_PATH, SESSION_DEVICE_FLAGS, 0);
	int error = fd < 0 ? fd : ktally_open_fd(session, fd);

	if (error && fd > 0)
		close(fd);
	return error;
}

/* Those that there can be are a list of its own, for their numbers may have gaps. */
int session_check_cpus(struct session_options *options)
{
	struct cpus possible;
	int error;

	if (options->cpus_wanted == SESSION_CPUS_DEFAULT)
		return EXIT_OK;
	error = cpus_read(&possible, CPUS_POSSIBLE);
	if (error) {
		message_error("--cpus: cannot read " CPUS_POSSIBLE ": %s", strerror(-error));
		return EXIT_UNAVAILABLE;
	}
	if (options->cpus_wanted == SESSION_CPUS_ALL)
		options->cpus = possible;
	if (cpus_count(&options->cpus, &possible) != cpus_count(&options->cpus, NULL)) {
		message_error("--cpus: this host does not have all of these CPUs: " CPUS_POSSIBLE " says which it can have");
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int choose_cpus(const struct ktally_info *info, struct session_options *options, struct ktally_setup *setup)
{
	int code;

	if (options->cpus_wanted == SESSION_CPUS_DEFAULT)
		return EXIT_OK;
	if (!(info->features & KTALLY_FEATURE_CPUS)) {
		message_error("--cpus: this kernel module samples all CPUs: load the one of this release");
		return EXIT_UNAVAILABLE;
	}
	code = session_check_cpus(options);
	if (code != EXIT_OK)
		return code;
	setup->cpu_mask = (uintptr_t)options->cpus.words;
	setup->cpu_words = (uint32_t)(cpus_end(&options->cpus) + 63) / 64;
	return EXIT_OK;
}

/* What is not seen must be said, here and in all that is made of the samples. */
static void tell_left_out(const struct ktally_session *session, struct session_options *options)
{
	struct buffer text = { 0 };

	memset(&options->left_out, 0, sizeof(options->left_out));
	if (ktally_get_cpus(session, KTALLY_CPUS_LEFT_OUT, (__u64 *)options->left_out.words, CPUS_WORDS) <= 0)
		return;
	cpus_format(&text, &options->left_out);
	message_info("not sampled: CPUs %s%s", text.data, options->cpus_wanted == SESSION_CPUS_DEFAULT ?
		     ", which are isolated (isolcpus, nohz_full, cpusets); --cpus all samples them, too" : "");
	buffer_free(&text);
}

int session_open(struct ktally_session **session, struct session_options *options)
{
	struct ktally_setup setup = { .size = sizeof(setup), .sources = KTALLY_SOURCE_ONCPU };
	struct ktally_session *opened;
	const struct ktally_info *info;
	int error = open_device(&opened, options), code;

	if (error)
		return explain_open(error);
	info = ktally_get_info(opened);
	code = check_bounds(info, options);
	if (code == EXIT_OK)
		code = check_rights(info, options);
	if (code != EXIT_OK)
		goto close;

	if (has_own_time())
		message_warning("this process is in a time namespace of its own: times are off by its offsets, and processes that end early "
				"may have no names: run it outside of that (`nsenter --time -t 1`)");
	if (!options->rate)
		options->rate = info->rate_default;
	choose_files(info, options);
	setup.capture = KTALLY_CAPTURE_USER | (options->kernel ? KTALLY_CAPTURE_KERNEL : 0) |
			(options->files ? KTALLY_CAPTURE_FILES : 0);
	setup.rate = options->rate;
	if (options->off_cpu) {
		setup.sources |= KTALLY_SOURCE_OFFCPU;
		setup.keep_ns = options->keep_ns;
		setup.wait_min_ns = options->wait_min_ns;
	}
	setup.depth = options->depth;
	setup.ring_bytes = options->ring_bytes;
	/* Mappings are read when records arrive: of a process that ended meanwhile nothing can be learnt any more. */
	setup.latency_ms = options->latency_ms ?: LATENCY_MS;
	setup.budget_ppm = options->budget_ppm;
	setup.filter = options->pid_count ? KTALLY_FILTER_CHILDREN : 0;
	setup.pids = (uintptr_t)options->pids;
	setup.pid_count = options->pid_count;
	setup.cgroup_fds = (uintptr_t)options->cgroup_fds;
	setup.cgroup_count = options->cgroup_count;
	code = choose_cpus(info, options, &setup);
	if (code != EXIT_OK)
		goto close;
	error = ktally_set_up(opened, &setup);
	if (error) {
		code = explain_set_up(error, options);
		goto close;
	}
	tell_left_out(opened, options);
	*session = opened;
	return EXIT_OK;

close:
	ktally_close(opened);
	return code;
}

int session_flush(struct ktally_session *session, unsigned int flags)
{
	const struct timespec pause = { .tv_nsec = FLUSH_PAUSE_NS };
	int error = ktally_flush(session, flags);

	for (int patience = FLUSH_PATIENCE; error == -EAGAIN && patience; patience--) {
		nanosleep(&pause, NULL);
		error = ktally_flush(session, flags);
	}
	return error;
}

int session_enable(struct ktally_session *session)
{
	int error = ktally_enable(session);

	switch (error) {
	case 0:
		return EXIT_OK;
	case -ESHUTDOWN:
		message_error("ktally is switched off on this host: `echo N >" SWITCH "` switches it on");
		return EXIT_BUSY;
	case -EPERM:
		message_error("the kernel was locked down a moment ago: start again, without kernel frames");
		return EXIT_PERMISSION;
	case -ENODEV:
		return session_failed(error);
	default:
		message_error("the kernel module cannot start sampling: %s: see the kernel log (dmesg)", strerror(-error));
		return EXIT_FAILED;
	}
}

int session_failed(int error)
{
	if (error == -ENODEV)
		message_error("the kernel module stopped this session because it found an inconsistency of its own: "
			      "see the kernel log (dmesg), and report it");
	else if (error == -EPROTO || error == -EBADMSG)
		message_error("the ring of the kernel module holds what is no record: install module and programs from the same "
			      "release, and report this if they are");
	else
		message_error("reading " KTALLY_DEVICE_PATH " failed: %s", strerror(-error));
	return EXIT_FAILED;
}

bool session_is_switched_off(void)
{
	struct buffer text = { 0 };
	bool off = !buffer_read_file(&text, SWITCH, 64) && text.data && text.data[0] == 'Y';

	buffer_free(&text);
	return off;
}

const char *session_clock_name(uint32_t clock)
{
	switch (clock) {
	case KTALLY_CLOCK_CPU:
		return "the timer";
	case KTALLY_CLOCK_CYCLES:
		return "hardware cycles";
	case KTALLY_CLOCK_REF_CYCLES:
		return "hardware reference cycles";
	default:
		return "an unknown clock";
	}
}
