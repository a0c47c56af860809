// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/package.h"

#define DIRECTORY		"/var/lib/dpkg/info"
#define LIST_BYTES_MOST		(16U << 20)

/* Lists may still say "/lib/..." of what is in "/usr/lib/..." now. */
static bool is_path(const char *line, size_t bytes, const char *path)
{
	size_t wanted = strlen(path);

	if (bytes == wanted && !memcmp(line, path, bytes))
		return true;
	return wanted == bytes + 4 && !strncmp(path, "/usr", 4) && !memcmp(line, path + 4, bytes);
}

static void look(struct package_query *queries, size_t count, const char *name, const char *line, size_t bytes)
{
	for (size_t i = 0; i < count; i++)
		if (!queries[i].name[0] && is_path(line, bytes, queries[i].path))
			snprintf(queries[i].name, sizeof(queries[i].name), "%.*s", (int)strcspn(name, ":"), name);
}

void package_find(const char *directory, struct package_query *queries, size_t count)
{
	DIR *lists = opendir(directory ? directory : DIRECTORY);
	struct buffer text = { 0 };
	struct dirent *entry;

	while (lists && (entry = readdir(lists))) {
		size_t name = strlen(entry->d_name);
		char path[512];

		if (name < 6 || name >= 128 || strcmp(entry->d_name + name - 5, ".list"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory ? directory : DIRECTORY, entry->d_name);
		buffer_clear(&text);
		if (buffer_read_file(&text, path, LIST_BYTES_MOST) || !text.bytes)
			continue;
		entry->d_name[name - 5] = '\0';
		for (char *line = text.data, *end; line < text.data + text.bytes; line = end + 1) {
			end = strchrnul(line, '\n');
			look(queries, count, entry->d_name, line, (size_t)(end - line));
		}
	}
	if (lists)
		closedir(lists);
	buffer_free(&text);
}
