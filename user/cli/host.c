// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/number.h"
#include "cli/host.h"
#include "lib/libktally.h"

#define FILE_BYTES_MAX		(16U << 20)
#define LOG_DIRECTORY		"/var/log/ktally"	/* of ktally-module */
#define KALLSYMS_BYTES_MAX	65536		/* the first lines tell whether there are addresses */

/* The path below root in a buffer of the caller's. NULL if it is too long. */
static const char *path_below(const char *root, const char *path, char room[PATH_MAX])
{
	return snprintf(room, PATH_MAX, "%s%s", root, path) < PATH_MAX ? room : NULL;
}

static bool exists(const char *root, const char *path)
{
	char room[PATH_MAX];

	return path_below(root, path, room) && !access(room, F_OK);
}

/* The whole file. -errno or 0; to be freed either way. */
static int read_below(const char *root, const char *path, struct buffer *text)
{
	char room[PATH_MAX];

	return path_below(root, path, room) ? buffer_read_file(text, room, FILE_BYTES_MAX) : -ENAMETOOLONG;
}

/* The first line of a file. False, and "", if it cannot be read. */
static bool read_line(const char *root, const char *path, char *line, size_t bytes)
{
	struct buffer text = { 0 };
	bool there = !read_below(root, path, &text);

	snprintf(line, bytes, "%.*s", there ? (int)strcspn(text.data, "\n") : 0, there ? text.data : "");
	buffer_free(&text);
	return there;
}

static int read_setting(const char *root, const char *path)
{
	char line[32];
	uint64_t value;

	if (!read_line(root, path, line, sizeof(line)) || number_parse(line, 0, INT_MAX, &value))
		return -1;
	return (int)value;
}

static bool has_text(const char *root, const char *path, const char *wanted)
{
	struct buffer text = { 0 };
	bool found = !read_below(root, path, &text) && strstr(text.data, wanted);

	buffer_free(&text);
	return found;
}

/* False if it does not end so. */
static bool cut_end(char *text, const char *end)
{
	size_t length = strlen(text), less = strlen(end);

	if (length < less || strcmp(text + length - less, end))
		return false;
	text[length - less] = '\0';
	return true;
}

/* The last line of ktally-module's log for a kernel, "" if it built the module or there is none. False if not: there is one. */
static bool read_verdict(const char *release, const char *root, char *verdict, size_t bytes)
{
	static const char sign[] = "ktally-module: ";
	char path[PATH_MAX];
	struct buffer log = { 0 };
	const char *line = NULL;

	verdict[0] = '\0';
	snprintf(path, sizeof(path), LOG_DIRECTORY "/module-%s.log", release);
	if (!read_below(root, path, &log))
		for (const char *next = log.data; (next = strstr(next, sign)); next++)
			if (next == log.data || next[-1] == '\n')
				line = next + strlen(sign);
	if (line && strncmp(line, "installed\n", strlen("installed\n")))
		snprintf(verdict, bytes, "%.*s", (int)strcspn(line, "\n"), line);
	buffer_free(&log);
	return verdict[0];
}

/* Kernels that may be booted next: those with a log and still with modules of their own. */
static void read_other_kernels(struct host *host, const char *root)
{
	char path[PATH_MAX];
	DIR *logs = path_below(root, LOG_DIRECTORY, path) ? opendir(path) : NULL;
	struct dirent *entry;

	while (logs && (entry = readdir(logs)) && host->other_kernel_count < OTHER_KERNELS_MAX) {
		struct other_kernel *other = &host->other_kernels[host->other_kernel_count];

		if (sscanf(entry->d_name, "module-%127s", other->release) != 1 || !cut_end(other->release, ".log"))
			continue;
		snprintf(path, sizeof(path), "/lib/modules/%s/kernel", other->release);
		if (strcmp(other->release, host->release) && exists(root, path) &&
		    read_verdict(other->release, root, other->verdict, sizeof(other->verdict)))
			host->other_kernel_count++;
	}
	if (logs)
		closedir(logs);
}

static void read_module(struct host *host, const char *root)
{
	char path[PATH_MAX], line[32];

	read_line(root, "/proc/sys/kernel/osrelease", host->release, sizeof(host->release));
	host->takes_modules = exists(root, "/proc/modules");
	host->modules_disabled = read_setting(root, "/proc/sys/kernel/modules_disabled") == 1;
	host->module_loaded = exists(root, "/sys/module/ktally");
	read_line(root, "/sys/module/ktally/version", host->module_version, sizeof(host->module_version));
	host->module_off =
		read_line(root, "/sys/module/ktally/parameters/disabled", line, sizeof(line)) && line[0] == 'Y';
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", host->release);
	host->module_installed = has_text(root, path, "/ktally.ko");
	snprintf(path, sizeof(path), "/lib/modules/%s/build", host->release);
	host->kernel_headers = exists(root, path);
	host->module_builder = exists(root, "/usr/sbin/ktally-module");
	read_verdict(host->release, root, host->module_verdict, sizeof(host->module_verdict));
	read_other_kernels(host, root);
}

/* "none [integrity] confidentiality": the one in brackets is in force. */
static void read_lockdown(struct host *host, const char *root)
{
	char line[128];
	const char *from;

	if (!read_line(root, "/sys/kernel/security/lockdown", line, sizeof(line)))
		return;
	from = strchr(line, '[');
	if (from)
		snprintf(host->lockdown, sizeof(host->lockdown), "%.*s", (int)strcspn(from + 1, "]"), from + 1);
}

/* An EFI variable is four bytes of attributes and its value, here one byte. */
static void read_secure_boot(struct host *host, const char *root)
{
	static const char variable[] = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	struct buffer value = { 0 };

	host->secure_boot = SECURE_BOOT_UNKNOWN;
	if (!exists(root, "/sys/firmware/efi"))
		host->secure_boot = SECURE_BOOT_OFF;		/* not even EFI */
	else if (!read_below(root, variable, &value) && value.bytes == 5)
		host->secure_boot = value.data[4] == 1 ? SECURE_BOOT_ON : SECURE_BOOT_OFF;
	buffer_free(&value);
}

static void read_capabilities(struct host *host, const char *root)
{
	static const char key[] = "\nCapEff:";
	struct buffer status = { 0 };
	const char *line = NULL;

	if (!read_below(root, "/proc/self/status", &status))
		line = strstr(status.data, key);
	host->capabilities = line ? strtoull(line + strlen(key), NULL, 16) : 0;
	buffer_free(&status);
}

/* Where addresses are hidden all of them are zero. */
static void read_kernel_names(struct host *host, const char *root)
{
	char room[PATH_MAX], text[KALLSYMS_BYTES_MAX];
	const char *path = path_below(root, "/proc/kallsyms", room);
	FILE *file = path ? fopen(path, "re") : NULL;

	host->kptr_restrict = read_setting(root, "/proc/sys/kernel/kptr_restrict");
	if (!file) {
		host->kernel_names_error = path ? -errno : -ENAMETOOLONG;
		return;
	}
	host->kernel_names_error = -EPERM;
	for (int line = 0; line < 256 && fgets(text, sizeof(text), file); line++) {
		if (strtoull(text, NULL, 16))
			host->kernel_names_error = 0;
	}
	fclose(file);
}

static void read_io_uring(struct host *host, const char *root)
{
	struct io_uring_params parameters = { 0 };
	long fd = syscall(SYS_io_uring_setup, 4, &parameters);

	host->io_uring_error = fd < 0 ? -errno : 0;
	host->io_uring_disabled = read_setting(root, "/proc/sys/kernel/io_uring_disabled");
	if (fd >= 0)
		close((int)fd);
}

/* "36 35 0:31 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw": the fifth field, if the type follows the dash. */
static void read_cgroup2(struct host *host, const char *root)
{
	struct buffer mounts = { 0 };
	char *rest, *line;

	if (read_below(root, "/proc/self/mountinfo", &mounts)) {
		buffer_free(&mounts);
		return;
	}
	for (rest = mounts.data; (line = strsep(&rest, "\n"));) {
		char *at = line, *field = NULL;

		if (!strstr(line, " - cgroup2 "))
			continue;
		for (int i = 0; i < 5; i++)
			field = strsep(&at, " ");
		if (field && !host->cgroup2[0])
			snprintf(host->cgroup2, sizeof(host->cgroup2), "%s", field);
	}
	buffer_free(&mounts);
}

static void open_device(struct host *host)
{
	struct ktally_session *session;

	host->device_error = ktally_open(&session);
	if (host->device_error)
		return;
	host->info = *ktally_get_info(session);
	host->refused_error = refused_read(&host->refused, ktally_fd(session));
	ktally_close(session);
}

void host_read(struct host *host, const char *root)
{
	struct rlimit limit;

	*host = (struct host){ 0 };
	read_module(host, root);
	open_device(host);
	read_lockdown(host, root);
	read_secure_boot(host, root);
	host->hardware_counters = exists(root, "/sys/bus/event_source/devices/cpu") ||
				  exists(root, "/sys/bus/event_source/devices/cpu_core");
	read_capabilities(host, root);
	read_kernel_names(host, root);
	read_io_uring(host, root);
	read_cgroup2(host, root);
	host->memlock = UINT64_MAX;
	if (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY)
		host->memlock = limit.rlim_cur;
}
