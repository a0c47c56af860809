/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of our own: a file in memory stands for /dev/ktally, and ioctl(), poll() and mmap() below take the place of
 * the C library's and answer for it as <linux/ktally.h> says, or as a broken module would.
 */
#ifndef KTALLY_DEVICE_H
#define KTALLY_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/ktally.h>

#include "check.h"

#define CPUS		8
#define RING_BYTES	(256U << 10)
#define AREA_BYTES	(2 * KTALLY_PAGE_BYTES + 2 * RING_BYTES)

/* The device: its descriptor, an area for each CPU, and what to answer. */
static struct {
	int fd;
	unsigned char *areas[CPUS];
	bool has_ring[CPUS];
	uint64_t head[CPUS], written[CPUS];
	uint32_t abi_version, cpus;
	uint64_t area_bytes;
	uint32_t setup_size, info_size, rate, flags, state;
	unsigned int setups, mappings;
	int mmap_error, poll_error;
	short events;			/* 0: POLLIN when there is something */
	const char *file;		/* what KTALLY_IOC_OPEN_FILE opens */
	int file_error, table_error;	/* errno */
	uint32_t files_opened, tables, table_file, table_rows;
	bool hold;			/* opening waits for as long as this is set, */
	uint32_t hold_most;		/* of files up to this number; 0: of all */
	int timeout;			/* of the last poll() */
	uint64_t rights;		/* that remain */
	uint64_t left_out;		/* CPUs, by bits */
	int dark;			/* how many */
	unsigned int flushes, flushes_refused;
	const char *fdinfo;		/* a file that has it */
	void (*on_open)(const char *path);	/* of anything, by whoever opens it; NULL: none */
} device;

/* Of those that are plugged in from now on. */
static uint32_t device_clock = KTALLY_CLOCK_CPU;

static struct ktally_ring_producer *producer_of(unsigned int cpu)
{
	return (void *)(device.areas[cpu] + KTALLY_PAGE_BYTES);
}

static uint64_t tail_of(unsigned int cpu)
{
	return __atomic_load_n(&((struct ktally_ring_consumer *)device.areas[cpu])->tail, __ATOMIC_ACQUIRE);
}

/* The number of rings as all producer pages tell it. */
static void count_rings(void)
{
	uint32_t rings = 0;

	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		rings += device.has_ring[cpu];
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		producer_of(cpu)->rings = rings;
}

static void add_ring(unsigned int cpu)
{
	*producer_of(cpu) = (struct ktally_ring_producer) {
		.magic = KTALLY_RING_MAGIC,
		.abi_version = KTALLY_ABI_VERSION,
		.cpu = cpu,
		.data_offset = 2 * KTALLY_PAGE_BYTES,
		.data_bytes = RING_BYTES,
		.state = KTALLY_STATE_READY,
		.thin = 1,
	};
	device.has_ring[cpu] = true;
	count_rings();
}

static void plug_in(void)
{
	for (unsigned int cpu = 0; cpu < CPUS && device.areas[cpu]; cpu++)
		syscall(SYS_munmap, device.areas[cpu], AREA_BYTES);
	close(device.fd);
	memset(&device, 0, sizeof(device));
	device.fd = memfd_create("ktally", MFD_CLOEXEC);
	device.abi_version = KTALLY_ABI_VERSION;
	device.rights = KTALLY_RIGHTS_ALL;
	device.cpus = CPUS;
	device.area_bytes = AREA_BYTES;
	if (ftruncate(device.fd, (off_t)CPUS * AREA_BYTES))
		check(false, "memory for the device");
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		device.areas[cpu] = (void *)syscall(SYS_mmap, NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
						    device.fd, cpu * AREA_BYTES);
	add_ring(0);
	add_ring(1);
}

/* The module maps the data twice; a file cannot, so every record is written twice. False: there is no room. */
static bool write_bytes(unsigned int cpu, const void *record, uint16_t size)
{
	unsigned char *data = device.areas[cpu] + 2 * KTALLY_PAGE_BYTES;
	uint64_t at = device.head[cpu] % RING_BYTES;
	const struct ktally_record *header = record;

	if (device.head[cpu] + header->size - tail_of(cpu) > RING_BYTES)
		return false;
	memcpy(data + at, record, size);
	if (at + size > RING_BYTES)
		memcpy(data, data + RING_BYTES, at + size - RING_BYTES);
	else
		memcpy(data + RING_BYTES + at, record, size);
	device.head[cpu] += header->size;
	__atomic_store_n(&producer_of(cpu)->head, device.head[cpu], __ATOMIC_RELEASE);
	return true;
}

/* Numbers a ring's records from 0. */
static inline bool write_record(unsigned int cpu, uint16_t size)
{
	struct ktally_sample sample = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = size, .cpu = (uint16_t)cpu },
		.time = device.written[cpu], .stack_id = 1, .task_id = 1, .weight = 5,
	};

	if (!write_bytes(cpu, &sample, sizeof(sample)))
		return false;
	device.written[cpu]++;
	producer_of(cpu)->samples++;
	return true;
}

static inline void write_records(unsigned int cpu, unsigned int count)
{
	while (count--)
		write_record(cpu, sizeof(struct ktally_sample));
}

static int answer(int error)
{
	if (error) {
		errno = error;
		return -1;
	}
	return 0;
}

static int open_file(struct ktally_open_file *argument)
{
	const char *file;

	while (__atomic_load_n(&device.hold, __ATOMIC_ACQUIRE) && (!device.hold_most || argument->file <= device.hold_most))
		usleep(1000);
	__atomic_add_fetch(&device.files_opened, 1, __ATOMIC_RELEASE);
	file = __atomic_load_n(&device.file, __ATOMIC_ACQUIRE);
	if (argument->size != KTALLY_OPEN_FILE_SIZE_V1 || argument->flags)
		return answer(EINVAL);
	if (device.file_error)
		return answer(device.file_error);
	if (argument->path) {
		if (argument->path_bytes <= strlen(file))
			return answer(ENAMETOOLONG);
		strcpy((char *)(uintptr_t)argument->path, file);
	}
	argument->status = access(file, F_OK) ? KTALLY_FILE_DELETED : 0;
	argument->fd = open(file, O_RDONLY | O_CLOEXEC);
	return argument->fd < 0 ? -1 : 0;
}

static int load_table(struct ktally_load_table *argument)
{
	if (argument->size != KTALLY_LOAD_TABLE_SIZE_V1)
		return answer(EINVAL);
	if (device.table_error)
		return answer(device.table_error);
	__atomic_store_n(&device.table_file, argument->file, __ATOMIC_RELAXED);
	__atomic_store_n(&device.table_rows, argument->row_count, __ATOMIC_RELAXED);
	__atomic_add_fetch(&device.tables, 1, __ATOMIC_RELEASE);
	argument->evicted = 2;
	return 0;
}

static int get_cpus(struct ktally_cpus *argument)
{
	uint64_t cpus = argument->which == KTALLY_CPUS_LEFT_OUT ? device.left_out : argument->which == KTALLY_CPUS_DARK ?
			(1ULL << device.dark) - 1 : ~device.left_out & ((1ULL << CPUS) - 1);

	if (argument->size != KTALLY_CPUS_SIZE_V1 || argument->count || (argument->words && !argument->mask))
		return answer(EINVAL);
	for (uint32_t i = 0; i < argument->words; i++)
		((uint64_t *)(uintptr_t)argument->mask)[i] = i ? 0 : cpus;
	argument->count = (uint32_t)__builtin_popcountll(cpus);
	return 0;
}

/* Or another descriptor of it. */
static bool is_device(int fd)
{
	struct stat own, given;

	return fd == device.fd || (!fstat(fd, &given) && !fstat(device.fd, &own) && given.st_ino == own.st_ino && given.st_dev == own.st_dev);
}

int ioctl(int fd, unsigned long request, ...)
{
	struct ktally_info *info;
	struct ktally_setup *setup;
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!is_device(fd))
		return answer(ENOTTY);
	switch (request) {
	case KTALLY_IOC_INFO:
		info = argument;
		device.info_size = info->size;
		*info = (struct ktally_info) {
			.size = info->size, .abi_version = device.abi_version, .cpus = device.cpus, .rate_max = 10000,
			.rights = device.rights, .clock = device_clock,
		};
		return 0;
	case KTALLY_IOC_SETUP:
		setup = argument;
		if (device.setups++)
			return answer(EBUSY);
		device.setup_size = setup->size;
		setup->cpus = device.cpus;
		setup->area_bytes = device.area_bytes;
		return 0;
	case KTALLY_IOC_ENABLE:
	case KTALLY_IOC_DISABLE:
		device.state = request == KTALLY_IOC_ENABLE ? KTALLY_STATE_ENABLED : KTALLY_STATE_READY;
		return argument ? answer(EINVAL) : 0;
	case KTALLY_IOC_SET_RATE:
		device.rate = ((struct ktally_rate *)argument)->rate;
		return ((struct ktally_rate *)argument)->size == KTALLY_RATE_SIZE_V1 ? 0 : answer(EINVAL);
	case KTALLY_IOC_OPEN_FILE:
		return open_file(argument);
	case KTALLY_IOC_LOAD_TABLE:
		return load_table(argument);
	case KTALLY_IOC_RESTRICT:
		device.rights &= ((struct ktally_restrict *)argument)->rights;
		((struct ktally_restrict *)argument)->rights = device.rights;
		return ((struct ktally_restrict *)argument)->size == KTALLY_RESTRICT_SIZE_V1 ? 0 : answer(EINVAL);
	case KTALLY_IOC_GET_CPUS:
		return get_cpus(argument);
	case KTALLY_IOC_SPACE_OF:
		if (((struct ktally_space_of *)argument)->size != KTALLY_SPACE_OF_SIZE_V1 || ((struct ktally_space_of *)argument)->mm_id)
			return answer(EINVAL);
		if (!((struct ktally_space_of *)argument)->pid)
			return answer(ESRCH);
		((struct ktally_space_of *)argument)->mm_id = 1000 + ((struct ktally_space_of *)argument)->pid;
		return 0;
	case KTALLY_IOC_FLUSH:
		device.flushes++;
		if (device.flushes_refused) {
			device.flushes_refused--;
			return answer(EAGAIN);
		}
		device.flags = ((struct ktally_flush *)argument)->flags;
		return ((struct ktally_flush *)argument)->size == KTALLY_FLUSH_SIZE_V1 ? 0 : answer(EINVAL);
	}
	return answer(ENOTTY);
}

int poll(struct pollfd *written_only, nfds_t count, int timeout)
{
	struct pollfd *volatile fds = written_only;	/* so glibc declares it, and the compiler believes it */

	if (!count || fds->fd != device.fd)
		return (int)syscall(SYS_poll, fds, count, timeout);	/* others have theirs */
	device.timeout = timeout;
	if (count != 1 || fds->events != POLLIN)
		return answer(EBADF);
	if (device.poll_error)
		return answer(device.poll_error);
	fds->revents = device.events;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		if (device.head[cpu] != tail_of(cpu))
			fds->revents |= POLLIN;
	}
	return fds->revents != 0;
}

/* Called before there is a sanitizer. */
__attribute__((no_sanitize("thread")))
int open(const char *path, int flags, ...)
{
	static const char fdinfo[] = "/proc/self/fdinfo/";
	va_list arguments;
	mode_t mode = 0;

	va_start(arguments, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if (device.on_open)
		device.on_open(path);
	if (device.fdinfo && !strncmp(path, fdinfo, sizeof(fdinfo) - 1))
		path = device.fdinfo;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Called before there is a sanitizer. */
__attribute__((no_sanitize("thread")))
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0 && fd == device.fd) {
		uint64_t page = (uint64_t)offset % AREA_BYTES;
		unsigned int cpu = (unsigned int)((uint64_t)offset / AREA_BYTES);
		int error = device.mmap_error;

		if (cpu >= CPUS || page + bytes > AREA_BYTES || !(flags & MAP_SHARED))
			error = EINVAL;
		else if (!device.has_ring[cpu])
			error = ENXIO;
		else if (protection & PROT_EXEC || (protection & PROT_WRITE && (page || bytes != KTALLY_PAGE_BYTES)))
			error = EPERM;
		if (error) {
			answer(error);
			return MAP_FAILED;
		}
		device.mappings++;
	}
	return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

#endif
