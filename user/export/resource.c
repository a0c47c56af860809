// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "export/resource.h"

/* How many there are then. The first value for a key is the one that stays. */
static size_t add(struct resource_attribute *attributes, size_t count, const char *key, const char *value)
{
	if (!value || !*value)
		return count;
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(attributes[i].key, key))
			return count;
	}
	attributes[count] = (struct resource_attribute){ key, value };
	return count + 1;
}

size_t resource_attributes(const struct export_host *host, const struct owner *owner,
			   struct resource_attribute attributes[RESOURCE_ATTRIBUTES_MOST])
{
	const struct resource_attribute general[] = {
		{ "service.name", "ktally" },
		{ "host.name", host->name },
		{ "host.id", host->id },
		{ "host.arch", "amd64" },
		{ "os.type", "linux" },
		{ "ktally.cpus.left_out", host->cpus_left_out },
		{ "os.name", host->os_name },
		{ "os.version", host->os_version },
	};
	size_t count = 0;

	for (enum owner_key key = 0; owner && key < OWNER_KEYS; key++)
		count = add(attributes, count, owner_key_name(key), owner->values[key]);
	for (size_t i = 0; host->deployment && i < host->deployment->count; i++)
		count = add(attributes, count, host->deployment->attributes[i].key, host->deployment->attributes[i].value);
	for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++)
		count = add(attributes, count, general[i].key, general[i].value);
	return count;
}
