// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally check: facts read from made-up hosts, and the judgement of them. */
#include <errno.h>
#include <sys/stat.h>

#include "check.h"
#include "cli/check.h"
#include "cli/rules.h"
#include "command.h"
#include "fake.h"
#include "lib/libktally.h"

static char directory[] = "/tmp/ktally-test-check-XXXXXX";

/* A file of the made-up host. */
static void put(const char *path, const char *data, size_t bytes)
{
	char whole[512];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", directory, path);
	for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0700);
		*slash = '/';
	}
	file = fopen(whole, "w");
	if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", whole);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

static void check_empty_host(void)
{
	struct host host;

	host_read(&host, directory);
	check(!host.release[0] && !host.module_loaded && !host.takes_modules && !host.hardware_counters,
	      "of no files nothing is known");
	check_number(host.kernel_names_error, -ENOENT, "no /proc/kallsyms");
	check_number(host.secure_boot, SECURE_BOOT_OFF, "no EFI, so no Secure Boot");
	check_number(host.kptr_restrict, -1, "an unknown setting");
	check_string(host.cgroup2, "", "no cgroup v2");
}

static void check_full_host(void)
{
	static const char variable[] = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	struct host host;

	put_text("/proc/sys/kernel/osrelease", "6.1.0-44-amd64\n");
	put_text("/proc/modules", "ktally 65536 0 - Live 0x0000000000000000\n");
	put_text("/proc/sys/kernel/modules_disabled", "1\n");
	put_text("/sys/module/ktally/version", "0.1.0\n");
	put_text("/sys/module/ktally/parameters/disabled", "Y\n");
	put_text("/lib/modules/6.1.0-44-amd64/modules.dep", "kernel/fs/ext4/ext4.ko: \nupdates/dkms/ktally.ko.xz:\n");
	put_text("/lib/modules/6.1.0-44-amd64/build/Makefile", "");
	put_text("/usr/sbin/ktally-module", "");
	put_text("/var/log/ktally/module-6.1.0-44-amd64.log", "x\nktally-module: not this\nktally-module: the build failed\nnot ktally-module: this\n");
	put_text("/lib/modules/6.1.0-45-amd64/kernel/x", "");
	put_text("/var/log/ktally/module-6.1.0-45-amd64.log", "ktally-module: made for others\n");
	put_text("/lib/modules/6.1.0-43-amd64/kernel/x", "");
	put_text("/var/log/ktally/module-6.1.0-43-amd64.log", "\nktally-module: installed\n");
	put_text("/var/log/ktally/module-6.1.0-42-amd64.log", "\nktally-module: of a kernel that is gone\n");
	put_text("/var/log/ktally/module-", "\nktally-module: of none\n");
	put_text("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	put(variable, "\6\0\0\0\1", 5);
	put_text("/sys/bus/event_source/devices/cpu_core/type", "4\n");
	put_text("/proc/self/status", "Name:\tcat\nCapPrm:\t0000000000000000\nCapEff:\t0000004000080004\n");
	put_text("/proc/kallsyms", "0000000000000000 T a\n0000000000000000 T b\n");
	put_text("/proc/sys/kernel/kptr_restrict", "2\n");
	put_text("/proc/sys/kernel/io_uring_disabled", "1\n");
	put_text("/proc/self/mountinfo", "24 30 0:22 / /proc rw - proc proc rw\n"
		 "36 35 0:31 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw\n");
	host_read(&host, directory);
	check_string(host.release, "6.1.0-44-amd64", "release");
	check(host.takes_modules && host.modules_disabled, "modules can be loaded, but no more");
	check(host.module_loaded && host.module_off, "the module is there, and off");
	check_string(host.module_version, "0.1.0", "its version");
	check(host.module_installed && host.kernel_headers && host.module_builder, "installed, headers, what builds it");
	check_string(host.module_verdict, "the build failed", "what became of the last build");
	check_number(host.other_kernel_count, 1, "of other kernels those count that are here and lack it");
	check_string(host.other_kernels[0].release, "6.1.0-45-amd64", "which");
	check_string(host.other_kernels[0].verdict, "made for others", "and why");
	check_string(host.lockdown, "confidentiality", "lockdown");
	check_number(host.secure_boot, SECURE_BOOT_ON, "Secure Boot");
	check(host.hardware_counters, "hardware counters of a hybrid CPU");
	check_number(host.capabilities, 0x4000080004, "capabilities");
	check_number(host.kernel_names_error, -EPERM, "addresses are hidden");
	check(host.kptr_restrict == 2 && host.io_uring_disabled == 1, "settings");
	check_string(host.cgroup2, "/sys/fs/cgroup/unified", "where cgroup v2 is");

	put_text("/proc/kallsyms", "0000000000000000 A fixed\nffffffff81000000 T a\n");
	put(variable, "\6\0\0\0\0", 5);
	put_text("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	put_text("/sys/module/ktally/parameters/disabled", "N\n");
	host_read(&host, directory);
	check_number(host.kernel_names_error, 0, "addresses are shown");
	check_number(host.secure_boot, SECURE_BOOT_OFF, "Secure Boot is off");
	check_string(host.lockdown, "none", "no lockdown");
	check(!host.module_off, "the module is on");
	put(variable, "\6\0", 2);
	put_text("/sys/kernel/security/lockdown", "[");
	put_text("/proc/self/mountinfo", " - cgroup2 ");
	put_text("/proc/sys/kernel/kptr_restrict", "99999999999999999999\n");
	host_read(&host, directory);
	check(host.secure_boot == SECURE_BOOT_UNKNOWN && host.kptr_restrict == -1, "nonsense is not believed");
}

/* A host that has everything. */
static struct host good_host(void)
{
	struct host host = {
		.release = "6.12.1",
		.takes_modules = true,
		.module_loaded = true,
		.module_version = LIBKTALLY_VERSION,
		.lockdown = "none",
		.secure_boot = SECURE_BOOT_OFF,
		.hardware_counters = true,
		.capabilities = ~0ULL,
		.io_uring_disabled = -1,
		.cgroup2 = "/sys/fs/cgroup",
		.memlock = UINT64_MAX,
	};

	host.info = (struct ktally_info){
		.abi_version = KTALLY_ABI_VERSION,
		.allowed = KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES,
		.clock = KTALLY_CLOCK_CYCLES,
	};
	return host;
}

static void judge(const struct host *host, int code, const char *wanted, const char *what)
{
	struct buffer text = { 0 };
	int saw = check_write(&text, host);
	bool found = strstr(text.data, wanted), fits = true;

	if (!found || saw != code)
		printf("# %s\n", text.data);
	check(found && saw == code, "%s: exit code %d", what, code);
	for (char *line = text.data; line; line = strchr(line, '\n'), line += line != NULL)
		fits &= strncmp(line, "OK", 2) || strcspn(line, "\n") <= 120;
	check(fits, "its lines are of a length to be read");
	buffer_free(&text);
}

static bool is_said(const struct host *host, const char *what)
{
	struct buffer text = { 0 };
	bool said;

	check_write(&text, host);
	said = strstr(text.data, what);
	buffer_free(&text);
	return said;
}

static void check_judgement(void)
{
	struct host host = good_host();

	judge(&host, EXIT_OK, "\nThis host has all it takes.\n", "a host that has everything");
	host.release[0] = '4';
	judge(&host, EXIT_UNAVAILABLE, "!!  kernel           Linux 4.12.1 is too old\n", "an old kernel");

	host = good_host();
	host.module_loaded = false;
	host.device_error = -ENOENT;
	host.module_installed = true;
	judge(&host, EXIT_UNAVAILABLE, "!!  module           not loaded\n                     -> modprobe ktally",
	      "a module that is not loaded");
	host.secure_boot = SECURE_BOOT_ON;
	judge(&host, EXIT_UNAVAILABLE, "-> mokutil --import /var/lib/dkms/mok.pub",
	      "that Secure Boot may be in the way of");
	host.module_installed = false;
	judge(&host, EXIT_UNAVAILABLE, "-> it is not installed: make install-dkms", "that was never installed");
	host.module_builder = true;
	judge(&host, EXIT_UNAVAILABLE,
	      "-> it is not built for this kernel, whose headers are missing: apt-get install linux-headers-6.12.1\n",
	      "that cannot be built");
	host.kernel_headers = true;
	judge(&host, EXIT_UNAVAILABLE, "-> it is not built for this kernel: ktally-module build 6.12.1, then", "that was not built");
	strcpy(host.module_verdict, "the build failed");
	judge(&host, EXIT_UNAVAILABLE, "-> the build failed\n                     -> /var/log/ktally/module-6.12.1.log has",
	      "that could not be built");
	host.modules_disabled = true;
	judge(&host, EXIT_UNAVAILABLE, "-> kernel.modules_disabled is 1", "that may not be loaded");
	host.takes_modules = false;
	judge(&host, EXIT_UNAVAILABLE, "-> this kernel takes no modules", "that cannot be loaded");

	host = good_host();
	host.other_kernel_count = 1;
	strcpy(host.other_kernels[0].release, "6.13.0");
	strcpy(host.other_kernels[0].verdict, "not made for it");
	judge(&host, EXIT_OK, "--  other kernels    no module of this release for Linux 6.13.0\n                     -> not made for it\n",
	      "a kernel that will be dark when it is booted");
	host = good_host();
	host.module_off = true;
	judge(&host, EXIT_UNAVAILABLE, "-> echo N > /sys/module/ktally/parameters/disabled\n",
	      "a module that is turned off");
	host = good_host();
	strcpy(host.module_version, "0.0.9");
	judge(&host, EXIT_OK, "--  module           version 0.0.9, this program is ", "a module of another release");
	strcpy(host.module_verdict, "the build failed");
	judge(&host, EXIT_OK, "\n                     -> the build failed\n", "that stays because the new one was not built");
	host = good_host();
	host.device_error = -EPROTO;
	judge(&host, EXIT_UNAVAILABLE, "!!  device           the module does not speak interface version 1\n",
	      "a module of another interface");
	host.device_error = -ENOENT;
	judge(&host, EXIT_UNAVAILABLE, "--device /dev/ktally", "a container without the device");
	host.device_error = -EACCES;
	judge(&host, EXIT_PERMISSION, "!!  device           not allowed to open /dev/ktally\n",
	      "a device that may not be opened");

	host = good_host();
	host.info.allowed = 0;
	host.capabilities = 0;
	judge(&host, EXIT_OK, "--  processes        only those of this user may be sampled\n", "an ordinary user");
	judge(&host, EXIT_OK, "--  capabilities     without CAP_PERFMON other users' processes",
	      "who lacks capabilities");
	host.capabilities = 1ULL << 21 | 1ULL << 34 | 1ULL << 19 | 1ULL << 2;
	judge(&host, EXIT_OK, "OK  capabilities     CAP_PERFMON, CAP_SYSLOG", "CAP_SYS_ADMIN stands for CAP_PERFMON");

	judge(&host, EXIT_OK, "OK  refused          nothing since the module was loaded\n", "a module that refused nothing");
	host.refused.counts[REFUSED_LOOKUPS] = 7;
	host.refused.counts[REFUSED_MAPPINGS] = 1;
	judge(&host, EXIT_OK, "OK  refused          7 look-ups of mappings, 1 stacks of too many mappings since", "what any host has now and then");
	host.refused.counts[REFUSED_NEW_FILES] = 12;
	judge(&host, EXIT_OK, "--  refused          12 files that were too many in a second, 7 look-ups of mappings, 1 stacks", "a flood");
	host.refused_error = -EPERM;
	check(!is_said(&host, "  refused "), "nothing is said of it to who may not know");
	host = good_host();
	strcpy(host.lockdown, "confidentiality");
	judge(&host, EXIT_OK, "--  lockdown         confidentiality", "lockdown");
	host = good_host();
	host.info.clock = KTALLY_CLOCK_CPU;
	judge(&host, EXIT_OK, "--  clock            a timer, though this CPU has counters", "a timer");
	host.info.allowed = 0;
	judge(&host, EXIT_OK, "-> this CPU has counters, which are for CAP_PERFMON", "counters that are for others");
	host.hardware_counters = false;
	judge(&host, EXIT_OK, "-> there are no hardware counters", "no counters");
	host = good_host();
	host.kernel_names_error = -EPERM;
	host.kptr_restrict = 2;
	judge(&host, EXIT_OK, "-> sysctl kernel.kptr_restrict=1, and CAP_SYSLOG\n", "hidden addresses");
	host = good_host();
	host.io_uring_error = -EPERM;
	host.io_uring_disabled = 2;
	judge(&host, EXIT_OK, "-> kernel.io_uring_disabled is 2: sysctl", "no io_uring");
	host = good_host();
	host.cgroup2[0] = '\0';
	judge(&host, EXIT_OK, "--  cgroup v2        not mounted", "no cgroup v2");
}

/* Whatever this host is like, the command tells about all of it. */
static void check_this_host(void)
{
	static const char *const titles[] = {
		"kernel ", "module ", "Secure Boot ", "lockdown ", "device ", "clock ", "capabilities ", "kernel names ",
		"io_uring ", "cgroup v2 ", "locked memory ",
	};
	struct result result = command_run(command_check, "check");
	unsigned int missing = 0;

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "  %s", titles[i]);
		missing += !strstr(result.out, wanted);
	}
	check_number(missing, 0, "this host is judged in all points");
	check(result.code == EXIT_OK || result.code == EXIT_UNAVAILABLE || result.code == EXIT_PERMISSION,
	      "exit code %d", result.code);
	check((result.code == EXIT_OK) == !strstr(result.out, "\n!!"), "which fits what it says");
	result_free(&result);
	result = command_run(command_check, "check --help");
	check(result.code == EXIT_OK && !strncmp(result.out, "usage: ktally check", 19), "--help");
	result_free(&result);
	result = command_run(command_check, "check more");
	check_number(result.code, EXIT_USAGE, "an argument");
	result_free(&result);
	result = command_run(command_check, "check --rules=/nonexistent");
	check_number(result.code, EXIT_FAILED, "no file to look for patterns in, which says nothing about the module");
	result_free(&result);
}

/* Patterns that match, that do not, and an area without any. */
static void check_patterns(void)
{
	static const char kallsyms[] = "ffffffff81000000 T tcp_recvmsg\n0000000000000000 t tcp_v4_rcv.isra.0\t[m]\n"
				       "ffffffff81000000 d udp_sendmsg\nffffffff81000000 T\nnonsense\n T x\nffffffff81000000 W schedule";
	struct buffer text = { 0 };
	size_t without = rules_write(&text, kallsyms, sizeof(kallsyms) - 1);
	const char *read = strstr(text.data, "    kernel/network/tcp/read"), *end = read ? strstr(read, "kernel/network/tcp/write") : NULL;

	check(strstr(text.data, "match none of the 3 functions"), "functions are counted");
	check(read && end && memmem(read, (size_t)(end - read), " tcp_rcv*", 9), "a pattern that matches nothing is named");
	check(end && !memmem(read, (size_t)(end - read), " tcp_recvmsg*", 13), "one that matches is not");
	check(strstr(text.data, "!!  kernel/network/udp/write"), "data are no functions: an area without any has a mark");
	check(without > 20, "%zu areas and causes are without any", without);
	check(strstr(text.data, "\nCAUSES OF WAITS\n") && strstr(text.data, "!!  io/disk"), "and so are causes of waits");
	buffer_free(&text);
	check_number(rules_write(&text, "", 0) > without, 1, "of no names there are more");
	buffer_free(&text);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	check_patterns();
	check_empty_host();
	check_full_host();
	check_judgement();
	check_this_host();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
