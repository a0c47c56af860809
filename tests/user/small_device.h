/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A /dev/ktally for whole programs: each open() of it is a session of its own on one CPU, a file in memory, whose ring holds a few
 * records from ENABLE on: two threads of "victim" and one of "other", which do not exist, so that nothing is looked up.
 *
 *	victim		3 samples of 1 ms each in one stack, and one of 1 ms in another, tids 1 and 2; a wait of 5 ms
 *	other		1 sample of 10 ms
 *
 * open(), ioctl() and poll() below take the place of the C library's and answer for it.
 */
#ifndef KTALLY_SMALL_DEVICE_H
#define KTALLY_SMALL_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/ktally.h>

#define SMALL_RING_BYTES	(64U << 10)
#define SMALL_AREA_BYTES	(2 * KTALLY_PAGE_BYTES + 2 * SMALL_RING_BYTES)
#define SMALL_PID		0x3ffffff0
#define SMALL_SESSIONS		64
#define SMALL_NAME		"ktally-device"

static struct {
	struct {
		dev_t device;
		ino_t inode;
		uint32_t sources;
	} sessions[SMALL_SESSIONS];
	size_t count;
} small_device;

static uint64_t small_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * Its place and one, 0: it is none. A session is known by its file and not by a descriptor's number, which is somebody else's once the
 * session was closed.
 */
static size_t small_session(int fd)
{
	struct stat status;
	size_t i = small_device.count;

	if (!i || fd < 0 || fstat(fd, &status))
		return 0;
	while (i && (small_device.sessions[i - 1].inode != status.st_ino || small_device.sessions[i - 1].device != status.st_dev))
		i--;
	return i;
}

static size_t small_add(int fd)
{
	struct stat status;

	if (fd < 0 || small_device.count == SMALL_SESSIONS || fstat(fd, &status))
		return 0;
	small_device.sessions[small_device.count].device = status.st_dev;
	small_device.sessions[small_device.count].inode = status.st_ino;
	return ++small_device.count;
}

/* One that another process opened and handed over is known by its name. The same. */
static size_t small_adopt(int fd)
{
	char path[32], name[64];
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bytes = readlink(path, name, sizeof(name) - 1);
	if (bytes < 0)
		return 0;
	name[bytes] = '\0';
	return strncmp(name, "/memfd:" SMALL_NAME, strlen("/memfd:" SMALL_NAME)) ? 0 : small_add(fd);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if (strcmp(path, KTALLY_DEVICE_PATH))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	fd = memfd_create(SMALL_NAME, MFD_CLOEXEC);
	if (fd < 0 || small_add(fd))
		return fd;
	close(fd);
	errno = EBUSY;
	return -1;
}

static void small_put(struct ktally_ring_producer *producer, const void *record, size_t bytes)
{
	unsigned char *data = (unsigned char *)producer + KTALLY_PAGE_BYTES;

	memcpy(data + producer->head, record, bytes);
	__atomic_store_n(&producer->head, producer->head + bytes, __ATOMIC_RELEASE);
}

static void small_task(struct ktally_ring_producer *producer, uint64_t id, uint32_t tid, const char *comm)
{
	struct ktally_task task = {
		.header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) }, .time = small_now(), .task_id = id, .mm_id = id,
		.start_time = 1, .cgroup_id = 1, .pid = SMALL_PID, .tid = tid, .parent = 1,
	};

	memcpy(task.comm, comm, strlen(comm));
	small_put(producer, &task, sizeof(task));
}

static void small_stack(struct ktally_ring_producer *producer, uint64_t id, unsigned int frames)
{
	struct {
		struct ktally_stack stack;
		uint64_t frames[4];
	} record = { .stack = { .header = { .type = KTALLY_RECORD_STACK }, .stack_id = id, .mm_id = 1, .user_frames = (uint16_t)frames } };

	record.stack.header.size = (uint16_t)(sizeof(record.stack) + frames * sizeof(uint64_t));
	record.stack.user_end = KTALLY_END_COMPLETE;
	for (unsigned int i = 0; i < frames; i++)
		record.frames[i] = (0x1000 * id + i) | (uint64_t)KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT;
	small_put(producer, &record, record.stack.header.size);
}

static void small_sample(struct ktally_ring_producer *producer, uint64_t stack, uint64_t task, uint64_t weight)
{
	const struct ktally_sample sample = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(sample) }, .time = small_now(), .stack_id = stack, .task_id = task,
		.weight = weight, .syscall = -1,
	};

	small_put(producer, &sample, sizeof(sample));
	producer->samples++;
}

static void small_enable(struct ktally_ring_producer *producer, uint32_t sources)
{
	small_task(producer, 1, SMALL_PID, "victim");
	small_task(producer, 2, SMALL_PID + 1, "victim");
	small_task(producer, 3, SMALL_PID + 2, "other");
	small_stack(producer, 1, 3);
	small_stack(producer, 2, 2);
	for (int i = 0; i < 3; i++)
		small_sample(producer, 1, 1, 1000000);
	small_sample(producer, 2, 2, 1000000);
	small_sample(producer, 2, 3, 10000000);
	if (sources & KTALLY_SOURCE_OFFCPU) {
		const uint64_t now = small_now();
		const struct ktally_offcpu wait = {
			.header = { .type = KTALLY_RECORD_OFFCPU, .size = sizeof(wait) }, .time = now, .stack_id = 1, .task_id = 1,
			.start = now - 5000000, .blocked = 5000000, .weight = 5000000, .syscall = -1, .state = 1,
		};

		small_put(producer, &wait, sizeof(wait));
		producer->samples++;
	}
}

static int small_set_up(int fd, struct ktally_setup *setup)
{
	struct ktally_ring_producer *producer;
	unsigned char *area;

	if (ftruncate(fd, SMALL_AREA_BYTES))
		return -1;
	area = mmap(NULL, SMALL_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		return -1;
	producer = (void *)(area + KTALLY_PAGE_BYTES);
	*producer = (struct ktally_ring_producer){
		.magic = KTALLY_RING_MAGIC, .abi_version = KTALLY_ABI_VERSION, .data_offset = 2 * KTALLY_PAGE_BYTES,
		.data_bytes = SMALL_RING_BYTES, .state = KTALLY_STATE_READY, .thin = 1, .rings = 1,
	};
	munmap(area, SMALL_AREA_BYTES);
	setup->cpus = 1;
	setup->area_bytes = SMALL_AREA_BYTES;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	size_t session = small_session(fd);
	struct ktally_info *info;
	unsigned char *area;
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!session && request == KTALLY_IOC_INFO)
		session = small_adopt(fd);
	if (!session)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	switch (request) {
	case KTALLY_IOC_INFO:
		info = argument;
		*info = (struct ktally_info){
			.size = info->size, .abi_version = KTALLY_ABI_VERSION, .cpus = 1, .rate_min = 1, .rate_max = 10000, .rate_default = 19,
			.depth_max = 512, .features = KTALLY_FEATURE_ONCPU | KTALLY_FEATURE_OFFCPU, .clock = KTALLY_CLOCK_CPU,
			.allowed = KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES, .ring_bytes_max = 16U << 20,
		};
		return 0;
	case KTALLY_IOC_SETUP:
		small_device.sessions[session - 1].sources = ((struct ktally_setup *)argument)->sources;
		return small_set_up(fd, argument);
	case KTALLY_IOC_ENABLE:
		area = mmap(NULL, SMALL_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		small_enable((void *)(area + KTALLY_PAGE_BYTES), small_device.sessions[session - 1].sources);
		munmap(area, SMALL_AREA_BYTES);
		return 0;
	default:
		return 0;
	}
}

/* A file is always ready: the device is looked at every 20 ms instead. */
int poll(struct pollfd *written_only, nfds_t count, int timeout)
{
	struct pollfd *volatile fds = written_only;
	struct pollfd others[64];
	struct timespec time;
	int ready = 0;
	bool ours = false;

	if (count > 64) {
		errno = EINVAL;
		return -1;
	}
	for (nfds_t i = 0; i < count; i++) {
		others[i] = fds[i];
		if (small_session(fds[i].fd)) {
			others[i].fd = -1;
			ours = true;
		}
	}
	if (ours && (timeout < 0 || timeout > 20))
		timeout = 20;
	time = (struct timespec){ timeout / 1000, timeout % 1000 * 1000000 };
	if (syscall(SYS_ppoll, others, count, timeout < 0 ? NULL : &time, NULL, 8) < 0)
		return -1;
	for (nfds_t i = 0; i < count; i++) {
		fds[i].revents = small_session(fds[i].fd) ? POLLIN : others[i].revents;
		ready += fds[i].revents != 0;
	}
	return ready;
}

#endif
