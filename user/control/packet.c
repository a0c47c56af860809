// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/message.h"
#include "control/packet.h"

union room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(PACKET_FDS_MOST * sizeof(int))];
};

static void take_fds(struct packet *packet, struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(packet->fds + packet->fd_count, CMSG_DATA(header), count * sizeof(int));
		packet->fd_count += count;
	}
}

int packet_receive(int fd, struct packet *packet, size_t most)
{
	struct iovec part = { .iov_base = memory_zeroed(1, most + 1), .iov_len = most };
	union room room;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof(room.bytes) };
	ssize_t bytes;
	int result = 1;

	*packet = (struct packet){ .text.data = part.iov_base, .text.capacity = most + 1 };
	do
		bytes = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0) {
		result = -errno;
	} else {
		packet->text.bytes = (size_t)bytes;
		packet->text.data[bytes] = '\0';
		take_fds(packet, &message);
		if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
			result = -EMSGSIZE;
		else if (!bytes)
			result = 0;
	}
	if (result != 1)
		packet_free(packet);
	return result;
}

int packet_send(int fd, const void *data, size_t bytes, const int *fds, size_t fd_count)
{
	struct iovec part = { .iov_base = (void *)data, .iov_len = bytes };
	union room room = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd_count > PACKET_FDS_MOST)
		return -EINVAL;
	if (fd_count) {
		message.msg_control = room.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		room.header.cmsg_level = SOL_SOCKET;
		room.header.cmsg_type = SCM_RIGHTS;
		room.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&room.header), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

void packet_free(struct packet *packet)
{
	while (packet->fd_count)
		close(packet->fds[--packet->fd_count]);
	buffer_free(&packet->text);
}
