// SPDX-License-Identifier: GPL-2.0
#include "failures.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mapped.h"
#include "workload.h"

static const char *const kinds[] = { "failslab", "fail_page_alloc" };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void set(const char *kind, const char *name, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	if (write_file(path, value))
		err(1, "%s", path);
}

void failures_prepare(void)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		set(kinds[i], "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
	set("fail_page_alloc", "min-order", "0");
}

/* ------------------------------------------------------------------------------------------------ one after the other */

int failures_counter(pid_t task)
{
	char path[64];
	int counter;

	snprintf(path, sizeof(path), task ? "/proc/%d/fail-nth" : "/proc/thread-self/fail-nth", task);
	counter = open(path, O_RDWR | O_CLOEXEC);
	if (counter < 0)
		err(1, "%s", path);
	return counter;
}

void failures_set(int counter, unsigned int nth)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%u", nth);

	/* When a number is left from before, the copy of this one can be what fails, once. */
	if (pwrite(counter, text, (size_t)bytes, 0) != bytes && pwrite(counter, text, (size_t)bytes, 0) != bytes)
		err(1, "fail-nth");
}

unsigned int failures_left(int counter)
{
	char text[16] = "";

	/* The copy of the number itself may be the one that fails. */
	return pread(counter, text, sizeof(text) - 1, 0) < 0 ? 1 : (unsigned int)atoi(text);
}

/* ------------------------------------------------------------------------------------------------ at random */

void failures_of_marked(unsigned int percent)
{
	char text[16];
	size_t i;

	snprintf(text, sizeof(text), "%u", percent);
	for (i = 0; i < KINDS; i++) {
		set(kinds[i], "task-filter", "Y");
		set(kinds[i], "times", "-1");
		set(kinds[i], "space", "0");
		set(kinds[i], "interval", "1");
		set(kinds[i], "probability", text);
	}
}

/* The name of a process of /proc, without the end of its line; empty: there is none. */
static void read_name(const char *process, char *name, size_t bytes)
{
	char path[300];
	ssize_t got;
	int file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/comm", process);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return;
	got = read(file, name, bytes - 1);
	close(file);
	name[got > 0 ? got - 1 : 0] = '\0';
}

void failures_mark(const char *kind, bool mark)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	char name[64], path[300];

	while ((entry = readdir(processes))) {
		read_name(entry->d_name, name, sizeof(name));
		if (strncmp(name, kind, strlen(kind)) && strcmp(name, "kthreadd"))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail", entry->d_name);
		write_file(path, mark ? "1" : "0");
	}
	closedir(processes);
}

pid_t failures_thread(const char *wanted)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;
	char name[64];

	while (!found && (entry = readdir(processes))) {
		read_name(entry->d_name, name, sizeof(name));
		if (!strcmp(name, wanted))
			found = atoi(entry->d_name);
	}
	closedir(processes);
	return found;
}

void failures_save_trace(void)
{
	const char *to = getenv("KTALLY_FAULT_TRACE");

	if (to && copy_file("/sys/kernel/tracing/trace", to, 0600))
		errx(1, "cannot copy the trace to %s", to);
}
