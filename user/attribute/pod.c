// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/pod.h"
#include "base/message.h"

#define ID_BYTES	64
#define FILES_MOST	65536
#define REMEMBERED	1000000000ULL

/* Names in Kubernetes have neither underscores nor capitals, so what is between two of them is one name. */
bool pod_read_name(const char *file, const char *container, struct owner_draft *draft)
{
	static const enum owner_key keys[] = { OWNER_POD_NAME, OWNER_NAMESPACE, OWNER_CONTAINER_NAME };
	static const char suffix[] = ".log";
	size_t bytes = strlen(file), id_bytes = strlen(container);
	const char *parts[4], *id;

	if (bytes < 1 + id_bytes + strlen(suffix) || strcmp(file + bytes - strlen(suffix), suffix))
		return false;
	id = file + bytes - strlen(suffix) - id_bytes;
	if (memcmp(id, container, id_bytes) || id[-1] != '-')
		return false;
	parts[0] = file;
	for (int i = 1; i < 3; i++) {
		const char *underscore = memchr(parts[i - 1], '_', (size_t)(id - 1 - parts[i - 1]));

		if (!underscore)
			return false;
		parts[i] = underscore + 1;
	}
	parts[3] = id;
	for (int i = 0; i < 3; i++)
		owner_draft_set(draft, keys[i], parts[i], (size_t)(parts[i + 1] - 1 - parts[i]));
	return true;
}

int pod_find_names(const char *directory, const char *container, struct owner_draft *draft)
{
	DIR *logs = opendir(directory);
	const struct dirent *entry;
	bool found = false;

	if (!logs)
		return -errno;
	while (!found && (entry = readdir(logs)))
		found = pod_read_name(entry->d_name, container, draft);
	closedir(logs);
	return found ? 0 : -ENOENT;
}

void pod_logs_free(struct pod_logs *logs)
{
	map_free_values(&logs->files);
	*logs = (struct pod_logs){ .read = false };
}

static uint64_t hash_id(const char *id)
{
	return hash_names(id, ID_BYTES, 0);
}

static void remember(struct pod_logs *logs, const char *file)
{
	static const char suffix[] = ".log";
	size_t bytes = strlen(file);

	if (bytes > ID_BYTES + strlen(suffix) && logs->files.used < FILES_MOST && !strcmp(file + bytes - strlen(suffix), suffix))
		free(map_put(&logs->files, hash_id(file + bytes - strlen(suffix) - ID_BYTES), memory_string(file)));
}

static int read_logs(struct pod_logs *logs, const char *directory, uint64_t now)
{
	const struct dirent *entry;
	DIR *list;

	pod_logs_free(logs);
	logs->time = now;
	logs->read = true;
	list = opendir(directory);
	if (!list)
		return -errno;
	while ((entry = readdir(list)))
		remember(logs, entry->d_name);
	closedir(list);
	return 0;
}

static bool remembers(const struct pod_logs *logs, const char *container, struct owner_draft *draft)
{
	const char *file = strlen(container) == ID_BYTES ? map_get(&logs->files, hash_id(container)) : NULL;

	return file && pod_read_name(file, container, draft);
}

/* Samples of several CPUs may be out of order, by which nothing becomes old. */
int pod_logs_find(struct pod_logs *logs, const char *directory, const char *container, uint64_t now, struct owner_draft *draft)
{
	int error = 0;

	if (logs->read && remembers(logs, container, draft))
		return 0;
	if (!logs->read || now >= logs->time + REMEMBERED)
		error = read_logs(logs, directory, now);
	return remembers(logs, container, draft) ? 0 : error ?: -ENOENT;
}
