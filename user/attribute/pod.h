/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of Kubernetes' pods and containers. The kubelet keeps a link to the log of each container on the host, called
 * POD_NAMESPACE_CONTAINER-ID.log: the only place where names can be had without asking a server.
 */
#ifndef KTALLY_POD_H
#define KTALLY_POD_H

#include <stdint.h>

#include "attribute/owner.h"
#include "base/map.h"

#define POD_LOGS "/var/log/containers"

/* Sets k8s.pod.name, k8s.namespace.name and k8s.container.name if the file is this container's. */
bool pod_read_name(const char *file, const char *container, struct owner_draft *draft);

/* Looks for them in the directory. 0; -ENOENT: it has no such file; -errno. */
int pod_find_names(const char *directory, const char *container, struct owner_draft *draft);

/* What was last read of the directory. Zeroed at first. One thread only. */
struct pod_logs {
	struct map files;		/* hash of a container's ID -> how its file is called */
	uint64_t time;			/* when that was, ns */
	bool read;
};

/*
 * The same by what is remembered: one that is not there is looked for in the directory at most a second after that was last read. So whoever
 * makes cgroups that are called as containers are, of which none has a log, has it read no more often than that. now: ns.
 */
int pod_logs_find(struct pod_logs *logs, const char *directory, const char *container, uint64_t now, struct owner_draft *draft);
void pod_logs_free(struct pod_logs *logs);

#endif
