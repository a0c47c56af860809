// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/pool.h"
#include "profile/tenant.h"

/* No host has users of such numbers. */
#define CONTAINER	0x80000000U

#define USERS		"/user.slice/"

/* The name of who has it, and what that is; NULL: nobody but the user. */
static const char *holder_of(const struct cgroup *cgroup, enum owner_key *key)
{
	const struct owner *owner = cgroup ? cgroup->owner : NULL;

	if (!owner || !cgroup->path || !strncmp(cgroup->path, USERS, strlen(USERS)))
		return NULL;
	*key = owner->values[OWNER_POD] ? OWNER_POD : OWNER_CONTAINER;
	return owner->values[*key];
}

uint32_t tenant_of(const struct cgroup *cgroup, uint32_t user)
{
	enum owner_key key;
	const char *holder = holder_of(cgroup, &key);
	uint32_t tenant;

	if (!holder)
		return user;
	tenant = CONTAINER | (uint32_t)hash_names(holder, strlen(holder), 0);
	return tenant == POOL_NOBODY ? CONTAINER : tenant;
}

void tenant_describe(const struct cgroups *cgroups, uint32_t tenant, struct buffer *text)
{
	const struct map *all = cgroups_all(cgroups);
	enum owner_key key = OWNER_CONTAINER;
	const char *holder = NULL;

	for (struct map_slot *slot = tenant & CONTAINER ? map_next(all, NULL) : NULL; slot && !holder; slot = map_next(all, slot))
		if (tenant_of(slot->value, 0) == tenant)
			holder = holder_of(slot->value, &key);
	if (holder)
		buffer_format(text, "of %s %s", key == OWNER_POD ? "pod" : "container", holder);
	else if (tenant & CONTAINER)
		buffer_string(text, "of a container");
	else
		buffer_format(text, "of user %u", tenant);
}
