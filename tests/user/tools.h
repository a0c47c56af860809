/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real files for the tests of what reads them: made with the compiler and its tools, in a directory of their own. */
#ifndef KTALLY_TEST_TOOLS_H
#define KTALLY_TEST_TOOLS_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "symbols/file.h"

static char tools_directory[64];

static inline bool tools_begin(void)
{
	strcpy(tools_directory, "/tmp/ktally-tools.XXXXXX");
	return mkdtemp(tools_directory);
}

/* In the directory, by the shell, which does not tell what goes wrong unless asked. */
__attribute__((format(printf, 1, 2))) static inline bool tools_run(const char *format, ...)
{
	char command[8192];
	va_list arguments;
	int bytes, more;

	bytes = snprintf(command, sizeof(command), "cd %s && exec %s && { ", tools_directory,
			 getenv("V") ? "2>&1" : ">/dev/null 2>&1");
	va_start(arguments, format);
	more = vsnprintf(command + bytes, sizeof(command) - (size_t)bytes - 4, format, arguments);
	va_end(arguments);
	if (more < 0 || (size_t)(bytes + more) + 4 >= sizeof(command))
		return false;
	strcat(command, "\n}");
	return !system(command);
}

static inline void tools_write(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", tools_directory, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
}

static inline void tools_end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", tools_directory);
	if (system(command))
		message_error("cannot remove %s", tools_directory);
}

/* NULL if it cannot be read. Separate files are looked for below the directory's own "root". */
static inline struct file *tools_read(const char *name, size_t most_bytes)
{
	struct elf_source source = { .fd = -1 };
	struct file *file = NULL;
	char path[256], root[256];
	struct stat status;
	int root_fd;

	snprintf(path, sizeof(path), "%s/%s", tools_directory, name);
	snprintf(root, sizeof(root), "%s/root", tools_directory);
	source.fd = open(path, O_RDONLY | O_CLOEXEC);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (source.fd >= 0 && !fstat(source.fd, &status)) {
		source.bytes = (uint64_t)status.st_size;
		snprintf(path, sizeof(path), "/bin/%s", name);
		if (file_read(&file, &source, path, root_fd, most_bytes))
			file = NULL;
	}
	if (source.fd >= 0)
		close(source.fd);
	if (root_fd >= 0)
		close(root_fd);
	return file;
}

/* The address of a function, 0: no function of that name is in the table. */
static inline uint64_t tools_address(const struct file *file, const char *name)
{
	uint64_t start;

	for (size_t i = 0; file && i < file->table.count; i++) {
		uint64_t address = file->table.base + file->table.entries[i].start;
		const char *found = table_find(&file->table, address, &start);

		if (found && !strcmp(found, name) && start == address)
			return address;
	}
	return 0;
}

#endif
