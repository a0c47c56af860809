/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the other threads of a test do. */
#ifndef KTALLY_TEST_OTHERS_H
#define KTALLY_TEST_OTHERS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* They wait to be woken up: neither do they run, nor does a disk keep them. */
static inline bool others_wait(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	bool wait = true;

	while (tasks && (entry = readdir(tasks))) {
		long number = atol(entry->d_name), call = -1;
		char path[64];
		FILE *file;

		if (!number || number == gettid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%ld/syscall", number);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%ld", &call) != 1 || call != SYS_futex)
			wait = false;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return wait;
}

#endif
