/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose share of what all have in common something is of: what a program cannot choose. In a container root may be any user, and most that
 * is in containers is root's, as the host's own services are; so that is the pod, or the container where there is no pod. Elsewhere it is the
 * user, as proc_read_user() has it. Below a user's own systemd, anybody makes cgroups that are called as containers are: there it is the user, too.
 *
 * On hosts of cgroup v1 the container is not known before the process was read, and it is the user.
 */
#ifndef KTALLY_PROFILE_TENANT_H
#define KTALLY_PROFILE_TENANT_H

#include <stdint.h>

#include "attribute/cgroup.h"
#include "base/buffer.h"

/* As a user of a pool (base/pool.h). cgroup: that the process is in; NULL: not known. */
uint32_t tenant_of(const struct cgroup *cgroup, uint32_t user);

/* "of user 1000", "of container 0123abcd...". cgroups: where it is looked for. */
void tenant_describe(const struct cgroups *cgroups, uint32_t tenant, struct buffer *text);

#endif
