// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "confine/descriptor.h"

union room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int descriptor_send(int socket, int result)
{
	struct iovec part = { .iov_base = &result, .iov_len = sizeof(result) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	union room room = { 0 };
	ssize_t sent;

	if (result > 0) {
		message.msg_control = room.bytes;
		message.msg_controllen = sizeof(room.bytes);
		room.header.cmsg_level = SOL_SOCKET;
		room.header.cmsg_type = SCM_RIGHTS;
		room.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&room.header), &result, sizeof(int));
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int descriptor_receive(int socket)
{
	int result = 0;
	struct iovec part = { .iov_base = &result, .iov_len = sizeof(result) };
	union room room = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof(room.bytes) };
	struct cmsghdr *header;
	ssize_t bytes;

	do
		bytes = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return -errno;
	if (bytes != sizeof(result))
		return -ENOTCONN;
	if (result <= 0)
		return result;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EBADMSG;
	memcpy(&result, CMSG_DATA(header), sizeof(result));
	return result;
}
