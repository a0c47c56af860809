// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/map.h"
#include "export/export.h"
#include "symbols/printable.h"

#define TEXT_BYTES_MOST	65536

/* The first of two files that can be read. */
static void read_either(struct buffer *text, const char *path, const char *otherwise)
{
	buffer_clear(text);
	if (buffer_read_file(text, path, TEXT_BYTES_MOST))
		buffer_read_file(text, otherwise, TEXT_BYTES_MOST);
	buffer_append(text, "", 0);
}

/* 32 hexadecimal digits; until the first boot has made one, the file says "uninitialized" or nothing. */
static const char *machine_id(void)
{
	struct buffer text = { 0 };
	const char *id = "";

	read_either(&text, "/etc/machine-id", "/var/lib/dbus/machine-id");
	if (strspn(text.data, "0123456789abcdef") == 32 && (!text.data[32] || isspace((unsigned char)text.data[32])))
		id = intern_bytes(text.data, 32);
	buffer_free(&text);
	return id;
}

/* KEY=VALUE of os-release: values may be quoted, and a backslash then takes the special meaning off a character. */
static const char *os_release_value(const char *text, const char *key)
{
	size_t key_bytes = strlen(key), bytes = 0;
	char value[256];

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *at = line + key_bytes + 1;
		char quote = 0;

		if (strncmp(line, key, key_bytes) || line[key_bytes] != '=')
			continue;
		if (*at == '"' || *at == '\'')
			quote = *at++;
		for (; *at && *at != '\n' && *at != quote && bytes < sizeof(value); at++) {
			if (*at == '\\' && quote == '"' && at[1] && at[1] != '\n')
				at++;
			value[bytes++] = *at;
		}
		return intern_printable(value, bytes);
	}
	return "";
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Both clocks cannot be read at once: the reading that took the least time between two of the other is kept. */
static void read_clocks(struct export_host *host)
{
	uint64_t shortest = UINT64_MAX;

	for (unsigned int i = 0; i < 5; i++) {
		uint64_t before = nanoseconds(CLOCK_MONOTONIC);
		uint64_t realtime = nanoseconds(CLOCK_REALTIME);
		uint64_t took = nanoseconds(CLOCK_MONOTONIC) - before;

		if (took >= shortest)
			continue;
		shortest = took;
		host->realtime = realtime;
		host->monotonic = before + took / 2;
	}
}

void export_host_fill(struct export_host *host)
{
	struct utsname names = { 0 };
	struct buffer text = { 0 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	uname(&names);
	host->name = intern_printable(names.nodename, sizeof(names.nodename));
	host->release = intern_printable(names.release, sizeof(names.release));
	host->id = machine_id();
	read_either(&text, "/etc/os-release", "/usr/lib/os-release");
	host->os_name = os_release_value(text.data, "NAME");
	host->os_version = os_release_value(text.data, "VERSION_ID");
	buffer_free(&text);
	host->cpus = cpus > 0 && cpus <= INT_MAX ? (uint32_t)cpus : 1;
	read_clocks(host);
}

void export_host_leave_out(struct export_host *host, const struct cpus *left_out)
{
	struct buffer text = { 0 };
	struct cpus online;
	size_t away;

	if (!cpus_end(left_out))
		return;
	cpus_format(&text, left_out);
	host->cpus_left_out = intern_bytes(text.data, text.bytes);
	buffer_free(&text);
	away = cpus_read(&online, "/sys/devices/system/cpu/online") ? 0 : cpus_count(left_out, &online);
	if (away < host->cpus)
		host->cpus -= (uint32_t)away;
}

uint64_t export_realtime(const struct export_host *host, uint64_t monotonic)
{
	return host->realtime + (monotonic - host->monotonic);
}
