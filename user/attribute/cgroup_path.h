/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the path of a cgroup says of who is in it, by the habits of those who make cgroups:
 *
 *	/system.slice/nginx.service				systemd: the unit
 *	/system.slice/docker-ID.scope				docker, by systemd; /docker/ID by itself (cgroupfs)
 *	/machine.slice/libpod-ID.scope/container		podman; /libpod_parent/libpod-ID by itself
 *	/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope
 *								kubelet and containerd, by systemd; crio-ID.scope for CRI-O
 *	/kubepods/burstable/podUID/ID				the same by themselves; crio-ID for CRI-O
 *	/kubepods-burstable-podUID.slice:cri-containerd:ID	the one told to use systemd, the other not
 *
 * ID is 64 hexadecimal digits. UID has dashes, or where systemd would take them for slices underscores; pods of files on the host
 * have 32 digits without either. Of containers within containers the outermost counts, and no pod below one, as whoever may make
 * cgroups in a container calls them what he likes: by another's name, too. Of units the innermost counts, so that a systemd in a
 * container tells its own: they are the container's word. Where no container is above, as below a user's own systemd, a container is
 * whatever is called one. Monitors of containers (conmon) are not in them. Only services are units: scopes are named after sessions
 * and runs, each of which would have its own, and so are the services of systemd-run.
 */
#ifndef KTALLY_CGROUP_PATH_H
#define KTALLY_CGROUP_PATH_H

#include "attribute/owner.h"

/* Sets container.id, k8s.pod.uid and systemd.unit.name, those that the path has. */
void cgroup_path_read(const char *path, struct owner_draft *draft);

#endif
