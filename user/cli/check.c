// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally check: what this host has and lacks for sampling. "OK" is as it should be, "--" makes profiles poorer, "!!"
 * means that nothing can be sampled; each lack is followed by its cure.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/message.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/rules.h"
#include "export/label.h"
#include "lib/libktally.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38		/* Linux 5.8 */
#endif

#define TITLE_COLUMNS	15

#define KALLSYMS_BYTES_MOST	(256 << 20)

static const char help[] =
	"usage: ktally check [--rules[=FILE]]\n"
	"\n"
	"Tells what this host has and lacks for sampling, and what to do about each lack. Changes nothing.\n"
	"\n"
	"      --rules[=FILE]      only say which patterns of the built-in rules match nothing in /proc/kallsyms, or in\n"
	"                          FILE, which is like that\n"
	"  -h, --help\n"
	"\n"
	"The exit code is 0 when processes of this user at least can be sampled, 77 when permission is missing and\n"
	"69 when the module is. See ktally-check(1).\n";

static const struct option long_options[] = {
	{ "rules", optional_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

enum verdict { GOOD, POORER, IMPOSSIBLE };

struct report {
	struct buffer *text;
	unsigned int verdicts[IMPOSSIBLE + 1];
};

__attribute__((format(printf, 4, 5)))
static void say(struct report *report, enum verdict verdict, const char *title, const char *format, ...)
{
	static const char *const signs[] = { [GOOD] = "OK", [POORER] = "--", [IMPOSSIBLE] = "!!" };
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	report->verdicts[verdict]++;
	buffer_format(report->text, "%s  ", signs[verdict]);
	label_padded(report->text, title, TITLE_COLUMNS);
	buffer_string(report->text, "  ");
	label_text(report->text, line, NULL);
	buffer_string(report->text, "\n");
}

/* Under what was said last. */
__attribute__((format(printf, 2, 3)))
static void cure(struct report *report, const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	buffer_format(report->text, "%*s-> ", 2 + 2 + TITLE_COLUMNS + 2, "");
	label_text(report->text, line, NULL);
	buffer_string(report->text, "\n");
}

static void check_kernel(struct report *report, const struct host *host)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(host->release, "%u.%u", &major, &minor) == 2 && (major < 5 || (major == 5 && minor < 10))) {
		say(report, IMPOSSIBLE, "kernel", "Linux %s is too old", host->release);
		cure(report, "the module needs Linux 5.10 or newer");
		return;
	}
	say(report, GOOD, "kernel", "Linux %s", host->release);
}

/* Where ktally-module has tried and failed. */
static void cure_verdict(struct report *report, const char *release, const char *verdict)
{
	cure(report, "%s", verdict);
	cure(report, "/var/log/ktally/module-%s.log has all of it; then: ktally-module build %s", release, release);
}

/* What a module that is not loaded needs to be. */
static void cure_absence(struct report *report, const struct host *host)
{
	if (!host->takes_modules)
		cure(report, "this kernel takes no modules (CONFIG_MODULES): boot one that does, or use scripts/vm");
	else if (host->modules_disabled)
		cure(report, "kernel.modules_disabled is 1: no module can be loaded until the next boot");
	else if (host->module_installed)
		cure(report, "modprobe ktally; `journalctl -k` tells why if it refuses");
	else if (!host->module_builder)
		cure(report, "it is not installed: make install-dkms, ktally-module build, modprobe ktally");
	else if (!host->kernel_headers)
		cure(report,
		     "it is not built for this kernel, whose headers are missing: apt-get install linux-headers-%s",
		     host->release);
	else if (host->module_verdict[0])
		cure_verdict(report, host->release, host->module_verdict);
	else
		cure(report, "it is not built for this kernel: ktally-module build %s, then modprobe ktally", host->release);
}

static void check_module(struct report *report, const struct host *host)
{
	if (!host->module_loaded) {
		say(report, IMPOSSIBLE, "module", "not loaded");
		cure_absence(report, host);
	} else if (host->module_off) {
		say(report, IMPOSSIBLE, "module", "version %s, turned off by its parameter", host->module_version);
		cure(report, "echo N > /sys/module/ktally/parameters/disabled");
	} else if (strcmp(host->module_version, ktally_version())) {
		say(report, POORER, "module", "version %s, this program is %s", host->module_version, ktally_version());
		cure(report, "they understand each other, but belong together: install both from one release");
		if (host->module_verdict[0])
			cure_verdict(report, host->release, host->module_verdict);
	} else {
		say(report, GOOD, "module", "version %s", host->module_version);
	}
}

/* Before they are booted. */
static void check_other_kernels(struct report *report, const struct host *host)
{
	for (unsigned int i = 0; i < host->other_kernel_count; i++) {
		const struct other_kernel *other = &host->other_kernels[i];

		say(report, POORER, i ? "" : "other kernels", "no module of this release for Linux %s", other->release);
		cure_verdict(report, other->release, other->verdict);
	}
}

static void check_secure_boot(struct report *report, const struct host *host)
{
	if (host->secure_boot == SECURE_BOOT_ON && !host->module_loaded) {
		say(report, POORER, "Secure Boot", "on: the module has to be signed by a key that this machine knows");
		cure(report,
		     "mokutil --import /var/lib/dkms/mok.pub, then reboot and confirm it; dkms signs with that key");
	} else if (host->secure_boot == SECURE_BOOT_ON) {
		say(report, GOOD, "Secure Boot", "on, and the module is accepted");
	} else if (host->secure_boot == SECURE_BOOT_OFF) {
		say(report, GOOD, "Secure Boot", "off");
	} else {
		say(report, GOOD, "Secure Boot", "not known: its EFI variable cannot be read");
	}
}

static void check_lockdown(struct report *report, const struct host *host)
{
	if (!strcmp(host->lockdown, "confidentiality")) {
		say(report, POORER, "lockdown", "confidentiality: the kernel keeps its own frames to itself");
		cure(report, "lockdown=integrity on the kernel's command line would let them be seen");
	} else if (!host->lockdown[0]) {
		say(report, GOOD, "lockdown",
		    "none: this kernel has no lockdown, or /sys/kernel/security is not mounted");
	} else {
		say(report, GOOD, "lockdown", "%s", host->lockdown);
	}
}

static void check_device(struct report *report, const struct host *host)
{
	switch (host->device_error) {
	case 0:
		say(report, GOOD, "device", KTALLY_DEVICE_PATH ", interface version %u", host->info.abi_version);
		break;
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		say(report, IMPOSSIBLE, "device", "there is no " KTALLY_DEVICE_PATH);
		if (host->module_loaded)
			cure(report, "the module is loaded, its node is missing: in a container pass it in (--device "
				     KTALLY_DEVICE_PATH "), else see whether devtmpfs is mounted");
		else
			cure(report, "it comes with the module");
		break;
	case -EACCES:
	case -EPERM:
		say(report, IMPOSSIBLE, "device", "not allowed to open " KTALLY_DEVICE_PATH);
		cure(report, "run as root, or join the group that owns it (ls -l " KTALLY_DEVICE_PATH ")");
		break;
	case -EPROTO:
	case -ENOTTY:
		say(report, IMPOSSIBLE, "device", "the module does not speak interface version %d", KTALLY_ABI_VERSION);
		cure(report, "install module and programs from one release, then rmmod ktally; modprobe ktally");
		break;
	default:
		say(report, IMPOSSIBLE, "device", KTALLY_DEVICE_PATH ": %s", strerror(-host->device_error));
	}
}

/* What the module itself says that this process may ask for. */
static void check_rights(struct report *report, const struct host *host)
{
	if (host->device_error)
		return;
	if (host->info.allowed & KTALLY_ALLOWED_ALL_PROCESSES) {
		say(report, GOOD, "processes", "all of this host may be sampled");
	} else {
		say(report, POORER, "processes", "only those of this user may be sampled");
		cure(report, "run as root, or give the program CAP_PERFMON: see setcap(8)");
	}
	if (host->info.allowed & KTALLY_ALLOWED_KERNEL_FRAMES) {
		say(report, GOOD, "kernel frames", "allowed");
	} else {
		say(report, POORER, "kernel frames", "not allowed");
		cure(report, "they need CAP_PERFMON and no lockdown=confidentiality");
	}
}

/* What is refused of one stack may be of any process that has much code. */
static bool is_past_its_share(const struct refused *refused)
{
	for (unsigned int cause = 0; cause < REFUSED_CAUSES; cause++)
		if (cause != REFUSED_LOOKUPS && cause != REFUSED_MAPPINGS && cause != REFUSED_STOCK &&
		    refused->counts[cause])
			return true;
	return false;
}

static void check_refused(struct report *report, const struct host *host)
{
	struct buffer what = { 0 };

	if (host->device_error || host->refused_error)
		return;
	if (!refused_describe(&host->refused, &what)) {
		say(report, GOOD, "refused", "nothing since the module was loaded");
	} else if (!is_past_its_share(&host->refused)) {
		say(report, GOOD, "refused", "%s since the module was loaded", what.data);
	} else {
		say(report, POORER, "refused", "%s since the module was loaded", what.data);
		cure(report, "a user's programs have more code files or processes than are one's share: code of theirs has no names, and "
			     "that of others is not concerned; ktally(4), fdinfo");
	}
	buffer_free(&what);
}

static void check_clock(struct report *report, const struct host *host)
{
	uint32_t clock = host->device_error ? 0 : host->info.clock;

	if (clock == KTALLY_CLOCK_CYCLES || clock == KTALLY_CLOCK_REF_CYCLES) {
		say(report, GOOD, "clock", "hardware cycles, by non-maskable interrupts");
	} else if (host->hardware_counters && !clock) {
		say(report, GOOD, "clock", "this CPU has hardware counters");
	} else if (host->hardware_counters && !(host->info.allowed & KTALLY_ALLOWED_ALL_PROCESSES)) {
		say(report, POORER, "clock", "a timer: code that runs with interrupts off is not seen in place");
		cure(report, "this CPU has counters, which are for CAP_PERFMON");
	} else if (host->hardware_counters) {
		say(report, POORER, "clock",
		    "a timer, though this CPU has counters: code that runs with interrupts off is not seen in place");
		cure(report, "the module's parameter pmu is off, or something holds the counters: the NMI watchdog?");
	} else {
		say(report, POORER, "clock", "a timer: code that runs with interrupts off is not seen in place");
		cure(report,
		     "there are no hardware counters; in a virtual machine ask for them (KVM: -cpu host, pmu=on)");
	}
}

static void check_capabilities(struct report *report, const struct host *host)
{
	static const struct {
		unsigned int number;
		const char *name, *lack;
	} wanted[] = {
		{ CAP_PERFMON, "CAP_PERFMON", "other users' processes and kernel frames are not sampled" },
		{ CAP_SYSLOG, "CAP_SYSLOG", "functions of the kernel have no names" },
		{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "functions of other users' processes have no names" },
		{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "programs that this user cannot read have no names" },
	};
	unsigned int lacking = 0;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool there = host->capabilities >> wanted[i].number & 1;

		if (wanted[i].number == CAP_PERFMON)
			there |= host->capabilities >> CAP_SYS_ADMIN & 1;
		if (there)
			continue;
		say(report, POORER, lacking++ ? "" : "capabilities", "without %s %s", wanted[i].name, wanted[i].lack);
	}
	if (lacking)
		cure(report, "run as root, or give the program its capabilities: see capabilities(7), setcap(8)");
	else
		say(report, GOOD, "capabilities", "CAP_PERFMON, CAP_SYSLOG, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH");
}

static void check_kernel_names(struct report *report, const struct host *host)
{
	if (!host->kernel_names_error) {
		say(report, GOOD, "kernel names", "/proc/kallsyms has addresses");
	} else if (host->kernel_names_error == -EPERM) {
		say(report, POORER, "kernel names",
		    "/proc/kallsyms hides its addresses: functions of the kernel have no names");
		cure(report, host->kptr_restrict == 2 ? "sysctl kernel.kptr_restrict=1, and CAP_SYSLOG"
						      : "that needs CAP_SYSLOG: run as root");
	} else {
		say(report, POORER, "kernel names", "/proc/kallsyms: %s", strerror(-host->kernel_names_error));
		cure(report, "the kernel needs CONFIG_KALLSYMS, and /proc has to be mounted");
	}
}

static void check_io_uring(struct report *report, const struct host *host)
{
	if (!host->io_uring_error) {
		say(report, GOOD, "io_uring", "works");
		return;
	}
	say(report, POORER, "io_uring", "%s: ktallyd uses poll instead, at a little more cost",
	    strerror(-host->io_uring_error));
	if (host->io_uring_disabled > 0)
		cure(report, "kernel.io_uring_disabled is %d: sysctl kernel.io_uring_disabled=0 allows it",
		     host->io_uring_disabled);
	else if (host->io_uring_error == -ENOMEM)
		cure(report, "ulimit -l is too low for this kernel: raise it, or give the program CAP_IPC_LOCK");
	else
		cure(report, "a container's seccomp profile may forbid it");
}

static void check_rest(struct report *report, const struct host *host)
{
	if (host->cgroup2[0]) {
		say(report, GOOD, "cgroup v2", "%s", host->cgroup2);
	} else {
		say(report, POORER, "cgroup v2", "not mounted: samples cannot be told apart or chosen by cgroup");
		cure(report, "boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 none DIRECTORY");
	}
	if (host->memlock == UINT64_MAX)
		say(report, GOOD, "locked memory", "no limit");
	else
		say(report, GOOD, "locked memory",
		    "limit of %" PRIu64 " KiB; only io_uring before Linux 5.12 is under it", host->memlock >> 10);
}

int check_write(struct buffer *text, const struct host *host)
{
	struct report report = { .text = text };

	check_kernel(&report, host);
	check_module(&report, host);
	check_other_kernels(&report, host);
	check_secure_boot(&report, host);
	check_lockdown(&report, host);
	check_device(&report, host);
	check_rights(&report, host);
	check_refused(&report, host);
	check_clock(&report, host);
	check_capabilities(&report, host);
	check_kernel_names(&report, host);
	check_io_uring(&report, host);
	check_rest(&report, host);
	if (report.verdicts[IMPOSSIBLE])
		buffer_string(text, "\nNothing can be sampled: see !!\n");
	else if (report.verdicts[POORER])
		buffer_string(text, "\nThis host can be sampled; what is poorer than it could be: see --\n");
	else
		buffer_string(text, "\nThis host has all it takes.\n");
	if (!report.verdicts[IMPOSSIBLE])
		return EXIT_OK;
	return host->device_error == -EACCES || host->device_error == -EPERM ? EXIT_PERMISSION : EXIT_UNAVAILABLE;
}

static int check_rules(const char *path)
{
	struct buffer kallsyms = { 0 }, text = { 0 };
	int error = buffer_read_file(&kallsyms, path, KALLSYMS_BYTES_MOST);

	if (error) {
		message_error("cannot read %s: %s", path, strerror(-error));
		return error == -EACCES || error == -EPERM ? EXIT_PERMISSION : EXIT_FAILED;
	}
	rules_write(&text, kallsyms.data ? kallsyms.data : "", kallsyms.bytes);
	fputs(text.data, stdout);
	buffer_free(&text);
	buffer_free(&kallsyms);
	return EXIT_OK;
}

int command_check(int argc, char **argv)
{
	const char *kallsyms = NULL;
	struct buffer text = { 0 };
	struct host host;
	int option, code;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (option == 'r') {
			kallsyms = optarg ? optarg : "/proc/kallsyms";
			continue;
		}
		if (option != 'h')
			return EXIT_USAGE;
		fputs(help, stdout);
		return EXIT_OK;
	}
	if (optind < argc) {
		message_error("\"%s\": check takes no arguments", argv[optind]);
		return EXIT_USAGE;
	}
	if (kallsyms)
		return check_rules(kallsyms);
	host_read(&host, "");
	code = check_write(&text, &host);
	fputs(text.data, stdout);
	buffer_free(&text);
	return code;
}
