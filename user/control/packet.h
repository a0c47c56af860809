/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets with descriptors over a Unix socket, SOCK_SEQPACKET: one is received as it was sent, or not at all. */
#ifndef KTALLY_PACKET_H
#define KTALLY_PACKET_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/buffer.h"

#define CONTROL_PATH		"/run/ktally/control"
#define CONTROL_SOCKET		SOCK_SEQPACKET		/* of socket_file.h */
#define PACKET_FDS_MOST		64

struct packet {
	struct buffer text;		/* zero-terminated */
	int fds[PACKET_FDS_MOST];	/* close-on-exec */
	size_t fd_count;
};

/*
 * Receives one of up to `most` bytes. 1; 0: the other side has hung up; -EAGAIN; -EMSGSIZE: it was longer or had more descriptors,
 * and is gone; -errno. With anything but 1 the packet is empty.
 */
int packet_receive(int fd, struct packet *packet, size_t most);

/* 0 or -errno. Never SIGPIPE. */
int packet_send(int fd, const void *data, size_t bytes, const int *fds, size_t fd_count);

/* Closes the descriptors, frees the text. */
void packet_free(struct packet *packet);

#endif
