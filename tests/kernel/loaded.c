// SPDX-License-Identifier: GPL-2.0
#include "loaded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[4096];

bool module_find(void)
{
	const char *directory = getenv("KTALLY_MODULES");

	if (directory)
		snprintf(path, sizeof(path), "%s/ktally.ko", directory);
	return directory;
}

int module_load(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return error;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "ktally", O_NONBLOCK) ? -errno : 0;
}
