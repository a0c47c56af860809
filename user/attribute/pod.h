/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of Kubernetes' pods and containers. The kubelet keeps a link to the log of each container on the host, called
 * POD_NAMESPACE_CONTAINER-ID.log: the only place where names can be had without asking a server.
 */
#ifndef KTALLY_POD_H
#define KTALLY_POD_H

#include "attribute/owner.h"

#define POD_LOGS "/var/log/containers"

/* Sets k8s.pod.name, k8s.namespace.name and k8s.container.name if the file is this container's. */
bool pod_read_name(const char *file, const char *container, struct owner_draft *draft);

/* Looks for them in the directory. 0; -ENOENT: it has no such file; -errno. */
int pod_find_names(const char *directory, const char *container, struct owner_draft *draft);

#endif
