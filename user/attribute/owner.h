/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom time is attributed to. An owner is a set of attributes, by OpenTelemetry's names:
 *
 *	service.name			OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES of the process, else its systemd service (without
 *					".service"), else its executable; "kernel" for threads of the kernel
 *	service.namespace, service.version, deployment.environment.name
 *					of OTEL_RESOURCE_ATTRIBUTES
 *	systemd.unit.name		the service that the process runs in
 *	k8s.namespace.name, k8s.pod.name, k8s.container.name
 *					as the kubelet's log files on this host are called, else of OTEL_RESOURCE_ATTRIBUTES
 *	k8s.pod.uid, container.id	of the cgroup
 *	process.executable.name		what processes are grouped by, see process_name() in profile/state.h
 *
 * How many of these an owner has is the level: each has those of the coarser levels too.
 *
 *	host		none: all time of the host is one owner's
 *	service		service.*, deployment.environment.name, systemd.unit.name, k8s.namespace.name
 *	container	k8s.pod.*, k8s.container.name, container.id
 *	process		process.executable.name
 *
 * Owners are kept, each once, in a bounded number: what comes past the cap is owned by "other". Values come from environments and
 * names that anybody chose; they are printable, and shorter than OWNER_VALUE_BYTES.
 */
#ifndef KTALLY_OWNER_H
#define KTALLY_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/pool.h"

#define OWNER_VALUE_BYTES	256	/* with the terminating zero */

enum owner_level {
	OWNER_BY_PROCESS,
	OWNER_BY_CONTAINER,
	OWNER_BY_SERVICE,
	OWNER_BY_HOST,
	OWNER_LEVELS,
};

enum owner_key {
	OWNER_SERVICE,
	OWNER_SERVICE_NAMESPACE,
	OWNER_SERVICE_VERSION,
	OWNER_DEPLOYMENT,
	OWNER_UNIT,
	OWNER_NAMESPACE,
	OWNER_POD_NAME,
	OWNER_POD,
	OWNER_CONTAINER_NAME,
	OWNER_CONTAINER,
	OWNER_PROCESS,
	OWNER_KEYS,
};

struct owner {
	const char *values[OWNER_KEYS];		/* NULL: it has none of these */
	uint32_t user;				/* whose process it came with first; tells no owners apart */
};

/* An owner in the making, with room for its strings. */
struct owner_draft {
	struct owner owner;
	char text[OWNER_KEYS][OWNER_VALUE_BYTES];
};

const char *owner_key_name(enum owner_key key);			/* "service.name" */
bool owner_key_is_declared(enum owner_key key);			/* a process may say it of itself */
enum owner_key owner_key_of(const char *name, size_t bytes);	/* OWNER_KEYS: there is none of that name */

/* The level of that name. -EINVAL: there is none. */
int owner_level_of(const char *name, enum owner_level *level);

/* An order that people find things in: by process, then by what is coarser. 0: all attributes are equal. */
int owner_compare(const struct owner *a, const struct owner *b);

bool owner_is_empty(const struct owner *owner);

/* Takes over what the owner does not have yet; `more` may be NULL. */
void owner_add(struct owner *owner, const struct owner *more);

/* Lines "service.name=shop", and back; lines that say something else are left out. */
void owner_write(const struct owner *owner, struct buffer *lines);
void owner_read(const char *lines, size_t bytes, struct owner_draft *draft);

/* One block of memory, with the strings. */
struct owner *owner_copy(const struct owner *owner);

/* What people call it: the process, service, or "all" of the host. */
const char *owner_label(const struct owner *owner);

/* Cut to the room there is and made printable; an empty value is none. */
void owner_draft_set(struct owner_draft *draft, enum owner_key key, const char *value, size_t bytes);

/* ---- the owners of a profile ---- */

struct owners;

struct owners *owners_create(enum owner_level level, size_t most);	/* 0: 1 000 */
void owners_destroy(struct owners *owners);

/* Each user has a share of the owners that there may be (pool.h), once this was called. */
void owners_divide(struct owners *owners);

/* The owner with these attributes, as far as the level has them: always the same one. Past the cap or the share: owners_other(). */
const struct owner *owners_get(struct owners *owners, const struct owner *attributes);
const struct owner *owners_other(const struct owners *owners);

/* The owner of what nobody knows whose it is. */
const struct owner *owners_unknown(const struct owners *owners);

size_t owners_count(const struct owners *owners);

/* Drops all owners but those that were kept since the last call. */
void owners_keep(const struct owner *owner);
void owners_forget(struct owners *owners);

#endif
