/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers between the processes of one program: a descriptor, or a number, over a Unix socket, SOCK_SEQPACKET. */
#ifndef KTALLY_DESCRIPTOR_H
#define KTALLY_DESCRIPTOR_H

/* > 0: a descriptor, which stays open here; else 0 or -errno as it is. 0 or -errno. */
int descriptor_send(int socket, int result);

/* What was sent, a descriptor closed on exec; -ENOTCONN: nobody is there any more. */
int descriptor_receive(int socket);

#endif
