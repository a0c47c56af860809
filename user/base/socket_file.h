/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix sockets that have a path: who may connect is said by the path's mode and group. */
#ifndef KTALLY_SOCKET_FILE_H
#define KTALLY_SOCKET_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

/*
 * A socket of this type (SOCK_*, with SOCK_NONBLOCK) that listens at the path, which is made with this mode and group, (gid_t)-1: our
 * own. What somebody left there who was killed is replaced; of several who do this at once one has it. A descriptor, or -errno;
 * -EADDRINUSE: somebody listens there; -EEXIST: what is there is no socket.
 */
int socket_file_listen(const char *path, int type, mode_t mode, gid_t group, struct stat *file);

/*
 * Removes the path, if it is still the one that socket_file_listen() made. To be called while that is still open: once nobody answers there,
 * somebody else may have made another meanwhile, even of the same number.
 */
void socket_file_remove(const char *path, const struct stat *file);

/* One that is connected to the path. A descriptor, or -errno. */
int socket_file_connect(const char *path, int type);

#endif
