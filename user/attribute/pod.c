// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "attribute/pod.h"

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
