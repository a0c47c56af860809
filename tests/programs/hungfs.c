// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file system with one file, which stops answering: usage: hungfs DIRECTORY CONTENT NAME. It is mounted at DIRECTORY and has a file
 * NAME there, with the bytes and the owner of the file CONTENT. After SIGUSR1 nothing that asks for the file is answered any more, as by
 * a server that is gone; what the kernel has of it already stays usable. SIGTERM unmounts it, and whoever waits goes on with an error.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

#define FILE_NODE 2
#define FOREVER 1000000
#define REQUEST_BYTES (1 << 17)

static volatile sig_atomic_t hangs, ends;
static const char *content, *file_name;
static uint64_t content_bytes;
static uid_t owner;
static int fuse;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		hangs = 1;
	else
		ends = 1;
}

static void answer(const struct fuse_in_header *request, int error, const void *data, size_t bytes)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + bytes), .error = -error, .unique = request->unique,
	};
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)(uintptr_t)data, bytes } };

	/* Who asked may be gone. */
	if (writev(fuse, parts, 2) < 0 && errno != ENOENT)
		warn("answering");
}

static struct fuse_attr attributes(uint64_t node)
{
	bool is_file = node == FILE_NODE;

	return (struct fuse_attr) {
		.ino = node,
		.size = is_file ? content_bytes : 0,
		.blocks = is_file ? (content_bytes + 511) / 512 : 0,
		.mode = is_file ? S_IFREG | 0755 : S_IFDIR | 0755,
		.uid = is_file ? owner : 0,
		.nlink = is_file ? 1 : 2,
		.blksize = 4096,
		.mtime = 1000000000,
		.ctime = 1000000000,
	};
}

static void answer_init(const struct fuse_in_header *request, const struct fuse_init_in *asked)
{
	struct fuse_init_out granted = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = asked->max_readahead,
		.max_write = 4096,
	};

	answer(request, 0, &granted, sizeof(granted));
}

static void answer_lookup(const struct fuse_in_header *request, const char *name)
{
	struct fuse_entry_out entry = {
		.nodeid = FILE_NODE, .generation = 1, .entry_valid = FOREVER, .attr_valid = FOREVER, .attr = attributes(FILE_NODE),
	};

	if (request->nodeid != FUSE_ROOT_ID || strcmp(name, file_name))
		answer(request, ENOENT, NULL, 0);
	else
		answer(request, 0, &entry, sizeof(entry));
}

static void answer_read(const struct fuse_in_header *request, const struct fuse_read_in *asked)
{
	uint64_t left = asked->offset < content_bytes ? content_bytes - asked->offset : 0;

	answer(request, 0, content + asked->offset, left < asked->size ? left : asked->size);
}

static void serve(const struct fuse_in_header *request)
{
	const void *argument = request + 1;
	struct fuse_attr_out attr = { .attr_valid = FOREVER, .attr = attributes(request->nodeid) };
	struct fuse_open_out opened = { .open_flags = FOPEN_KEEP_CACHE };
	struct fuse_statfs_out statfs = { .st = { .bsize = 4096, .namelen = 255 } };

	switch (request->opcode) {
	case FUSE_INIT:
		answer_init(request, argument);
		break;
	case FUSE_LOOKUP:
		answer_lookup(request, argument);
		break;
	case FUSE_GETATTR:
		answer(request, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(request, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		answer_read(request, argument);
		break;
	case FUSE_STATFS:
		answer(request, 0, &statfs, sizeof(statfs));
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		answer(request, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(request, ENOSYS, NULL, 0);
	}
}

static void map_content(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		err(1, "%s", path);
	content_bytes = (uint64_t)status.st_size;
	owner = status.st_uid;
	content = mmap(NULL, content_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (content == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
}

int main(int argc, char **argv)
{
	static union {
		struct fuse_in_header header;
		char bytes[REQUEST_BYTES];
	} request;
	struct sigaction action = { .sa_handler = on_signal };
	char options[64];

	if (argc != 4)
		errx(2, "usage: hungfs DIRECTORY CONTENT NAME");
	file_name = argv[3];
	map_content(argv[2]);
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		err(1, "/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
	if (mount("hungfs", argv[1], "fuse.hungfs", MS_NOSUID | MS_NODEV, options))
		err(1, "%s", argv[1]);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	while (!ends) {
		ssize_t bytes = read(fuse, &request, sizeof(request));

		if (bytes < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			break;
		if (bytes >= (ssize_t)sizeof(request.header) && !hangs)
			serve(&request.header);
	}
	umount2(argv[1], MNT_DETACH);
	return 0;
}
