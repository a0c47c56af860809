// SPDX-License-Identifier: GPL-2.0
#include "device.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void session_fail(struct session *session, const char *format, ...)
{
	va_list arguments;

	if (session->error[0])
		return;
	va_start(arguments, format);
	vsnprintf(session->error, sizeof(session->error), format, arguments);
	va_end(arguments);
}

/* ------------------------------------------------------------------------------------------------ calls */

static int call(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

int device_open(void)
{
	int fd = open(KTALLY_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int device_try_setup(int fd, struct ktally_setup *setup)
{
	setup->size = sizeof(*setup);
	return call(fd, KTALLY_IOC_SETUP, setup);
}

int device_setup(int fd, struct ktally_setup *setup)
{
	int error = device_try_setup(fd, setup), patience;

	for (patience = 0; error == -EAGAIN && patience < 100; patience++) {
		usleep(20000);
		error = device_try_setup(fd, setup);
	}
	return error;
}

int device_info(int fd, struct ktally_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return call(fd, KTALLY_IOC_INFO, info);
}

int device_enable(int fd)
{
	return call(fd, KTALLY_IOC_ENABLE, NULL);
}

int device_disable(int fd)
{
	return call(fd, KTALLY_IOC_DISABLE, NULL);
}

int device_set_rate(int fd, uint32_t rate)
{
	struct ktally_rate argument = { .size = sizeof(argument), .rate = rate };

	return call(fd, KTALLY_IOC_SET_RATE, &argument);
}

int device_try_flush(int fd, uint32_t flags)
{
	struct ktally_flush argument = { .size = sizeof(argument), .flags = flags };

	return call(fd, KTALLY_IOC_FLUSH, &argument);
}

int device_flush(int fd, uint32_t flags)
{
	int error = device_try_flush(fd, flags), patience;

	for (patience = 0; error == -EAGAIN && patience < 100; patience++) {
		usleep(20000);
		error = device_try_flush(fd, flags);
	}
	return error;
}

int device_restrict(int fd, uint64_t *rights)
{
	struct ktally_restrict argument = { .size = sizeof(argument), .rights = *rights };
	int error = call(fd, KTALLY_IOC_RESTRICT, &argument);

	*rights = argument.rights;
	return error;
}

int device_get_cpus(int fd, uint32_t which, uint64_t *mask)
{
	struct ktally_cpus argument = { .size = sizeof(argument), .which = which, .mask = (uintptr_t)mask, .words = 1 };
	int error = call(fd, KTALLY_IOC_GET_CPUS, &argument);

	return error ? error : (int)argument.count;
}

int device_space_of(int fd, pid_t pid, uint64_t *mm_id)
{
	struct ktally_space_of argument = { .size = sizeof(argument), .pid = (uint32_t)pid };
	int error = call(fd, KTALLY_IOC_SPACE_OF, &argument);

	*mm_id = argument.mm_id;
	return error;
}

int device_set_keep(int fd, uint64_t keep_ns, uint64_t wait_min_ns)
{
	struct ktally_keep argument = { .size = sizeof(argument), .keep_ns = keep_ns, .wait_min_ns = wait_min_ns };

	return call(fd, KTALLY_IOC_SET_KEEP, &argument);
}

int device_open_file(int fd, uint32_t number, char *path, uint32_t *status)
{
	struct ktally_open_file argument = {
		.size = sizeof(argument), .file = number, .path = (uintptr_t)path, .path_bytes = KTALLY_PATH_BYTES_MAX,
	};
	int error = call(fd, KTALLY_IOC_OPEN_FILE, &argument);

	if (error)
		return error;
	*status = argument.status;
	return argument.fd;
}

/* ------------------------------------------------------------------------------------------------ sessions */

static void *map(const struct session *session, unsigned int cpu, uint64_t offset, size_t bytes, int protection)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, session->fd,
			    (off_t)(cpu * session->setup.area_bytes + offset));

	return memory == MAP_FAILED ? NULL : memory;
}

static int map_ring(struct session *session, unsigned int cpu)
{
	struct ring *ring = &session->rings[cpu];
	size_t bytes = session->mapped ? session->setup.area_bytes - KTALLY_PAGE_BYTES : KTALLY_PAGE_BYTES;
	char *memory = map(session, cpu, KTALLY_PAGE_BYTES, bytes, PROT_READ);

	if (!memory)
		return -errno;
	ring->producer = (const void *)memory;
	if (ring->producer->magic != KTALLY_RING_MAGIC || ring->producer->cpu != cpu ||
	    ring->producer->data_bytes != session->setup.ring_bytes)
		session_fail(session, "ring %u: the producer page is not its own", cpu);
	if (!session->mapped)
		return 0;
	ring->data = memory + ring->producer->data_offset - KTALLY_PAGE_BYTES;
	ring->consumer = map(session, cpu, 0, KTALLY_PAGE_BYTES, PROT_READ | PROT_WRITE);
	if (!ring->consumer)
		return -errno;
	ring->tail = ring->consumer->tail;
	return 0;
}

int session_map_rings(struct session *session)
{
	unsigned int cpu;
	int error, count = 0;

	for (cpu = 0; cpu < session->setup.cpus; cpu++) {
		if (!session->rings[cpu].producer) {
			error = map_ring(session, cpu);
			if (error == -ENXIO)
				continue;
			if (error)
				return error;
		}
		count++;
	}
	return count;
}

int session_adopt(struct session *session, int fd, const struct ktally_setup *setup, bool mapped)
{
	int error;

	memset(session, 0, sizeof(*session));
	session->fd = fd;
	session->setup = *setup;
	session->mapped = mapped;
	session->begin = now_ns();
	error = device_setup(fd, &session->setup);
	if (error)
		return error;
	if (session->setup.cpus > CPUS_MAX)
		errx(1, "%u CPUs are too many for this test", session->setup.cpus);
	error = session_map_rings(session);
	return error < 0 ? error : 0;
}

int session_open(struct session *session, const struct ktally_setup *setup, bool mapped)
{
	int error, fd = device_open();

	if (fd < 0) {
		memset(session, 0, sizeof(*session));
		session->fd = -1;
		return fd;
	}
	error = session_adopt(session, fd, setup, mapped);
	if (error)
		session_close(session);
	return error;
}

void session_close(struct session *session)
{
	size_t bytes = session->mapped ? session->setup.area_bytes - KTALLY_PAGE_BYTES : KTALLY_PAGE_BYTES;
	unsigned int cpu;

	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		struct ring *ring = &session->rings[cpu];

		if (ring->consumer)
			munmap((void *)(uintptr_t)ring->consumer, KTALLY_PAGE_BYTES);
		if (ring->producer)
			munmap((void *)(uintptr_t)ring->producer, bytes);
		ring->consumer = NULL;
		ring->producer = NULL;
	}
	if (session->fd >= 0)
		close(session->fd);
	session->fd = -1;
	ids_clear(&session->tasks);
	ids_clear(&session->stacks);
	ids_clear(&session->files);
}

/* ------------------------------------------------------------------------------------------------ records */

static long drain_ring(struct session *session, unsigned int cpu)
{
	struct ring *ring = &session->rings[cpu];
	uint64_t mask = session->setup.ring_bytes - 1;
	uint64_t head = __atomic_load_n(&ring->producer->head, __ATOMIC_ACQUIRE);
	long count = 0;

	if (head - ring->tail > session->setup.ring_bytes)
		session_fail(session, "ring %u: head %ju, tail %ju", cpu, (uintmax_t)head, (uintmax_t)ring->tail);
	while (ring->tail != head && !session->error[0]) {
		unsigned int size = record_take(session, ring->data + (ring->tail & mask), head - ring->tail, (int)cpu);

		if (!size)
			break;
		ring->tail += size;
		count++;
	}
	__atomic_store_n(&ring->consumer->tail, ring->tail, __ATOMIC_RELEASE);
	return count;
}

static long drain_by_read(struct session *session)
{
	static char buffer[256 << 10] __attribute__((aligned(8)));
	long count = 0;
	ssize_t bytes;

	if (fcntl(session->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	while ((bytes = read(session->fd, buffer, sizeof(buffer))) > 0) {
		ssize_t at = 0;

		while (at < bytes && !session->error[0]) {
			unsigned int size = record_take(session, buffer + at, (uint64_t)(bytes - at), -1);

			if (!size)
				break;
			at += size;
			count++;
		}
		if (session->error[0])
			break;
	}
	return bytes < 0 && errno != EAGAIN ? -errno : count;
}

long session_drain(struct session *session)
{
	unsigned int cpu;
	long count = 0;
	int error;

	if (!session->mapped)
		return drain_by_read(session);
	error = session_map_rings(session);
	if (error < 0)
		return error;
	for (cpu = 0; cpu < session->setup.cpus; cpu++)
		if (session->rings[cpu].producer)
			count += drain_ring(session, cpu);
	return count;
}

/* While samples come in, there is always something left: then it ends after a few rounds. */
int session_settle(struct session *session)
{
	long count = 1;
	int round;

	for (round = 0; round < 8 && count > 0; round++) {
		int error = device_flush(session->fd, 0);

		if (error)
			return error;
		count = session_drain(session);
	}
	return count < 0 ? (int)count : session_map_rings(session) < 0;
}

int session_run(struct session *session, double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

	for (;;) {
		struct pollfd poller = { .fd = session->fd, .events = POLLIN };
		uint64_t now = now_ns();
		long count;

		if (now >= end)
			return 0;
		if (poll(&poller, 1, (int)((end - now) / 1000000) + 1) < 0)
			return -errno;
		if (poller.revents & ~POLLIN)
			return -EIO;
		count = session_drain(session);
		if (count < 0)
			return (int)count;
	}
}

int session_run_until(struct session *session, const uint64_t *count, uint64_t least)
{
	uint64_t end = now_ns() + 30000000000;
	int error = 0;

	while (!error && *count < least)
		error = now_ns() < end ? session_run(session, 0.1) : -ETIME;
	if (error == -ETIME) {
		struct tally total = session_total(session);

		fprintf(stderr, "# %ju of %ju after 30 seconds with %ju samples, %ju waits, %ju lost, %ju throttles\n",
		       (uintmax_t)*count, (uintmax_t)least, (uintmax_t)total.samples, (uintmax_t)total.waits,
		       (uintmax_t)tally_lost_samples(&total).count, (uintmax_t)total.throttles);
	}
	return error;
}

bool session_is_exact(struct session *session)
{
	unsigned int cpu;

	if (session_map_rings(session) < 0)
		session_fail(session, "rings cannot be mapped");
	for (cpu = 0; cpu < session->setup.cpus; cpu++) {
		const struct ring *ring = &session->rings[cpu];
		uint64_t lost = tally_lost_samples(&ring->tally).count;
		unsigned int cause;

		if (!ring->producer)
			continue;
		if (ring->producer->samples != ring->tally.samples + ring->tally.waits + lost)
			session_fail(session, "ring %u: %ju samples and waits taken, %ju and %ju read, %ju lost", cpu,
				     (uintmax_t)ring->producer->samples, (uintmax_t)ring->tally.samples,
				     (uintmax_t)ring->tally.waits, (uintmax_t)lost);
		if (ring->producer->stacks != ring->tally.stacks)
			session_fail(session, "ring %u: %ju stacks written, %ju read", cpu,
				     (uintmax_t)ring->producer->stacks, (uintmax_t)ring->tally.stacks);
		if (ring->producer->throttles != ring->tally.throttles)
			session_fail(session, "ring %u: %ju throttles written, %ju read", cpu,
				     (uintmax_t)ring->producer->throttles, (uintmax_t)ring->tally.throttles);
		for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++)
			if (ring->producer->lost[cause].count != ring->tally.lost[cause].count ||
			    ring->producer->lost[cause].weight != ring->tally.lost[cause].weight)
				session_fail(session, "ring %u: %ju lost by cause %u, %ju announced", cpu,
					     (uintmax_t)ring->producer->lost[cause].count, cause,
					     (uintmax_t)ring->tally.lost[cause].count);
	}
	return !session->error[0];
}

int session_follow(struct session *session, const struct ktally_setup *setup, pid_t process)
{
	struct ktally_setup one = *setup;
	int error;

	if (process) {
		one.pids = (uintptr_t)&process;
		one.pid_count = 1;
	}
	error = session_open(session, &one, true);
	return error ? error : device_enable(session->fd);
}

int session_finish(struct session *session)
{
	int error = device_disable(session->fd);

	if (!error)
		error = session_settle(session);
	if (!error)
		session_is_exact(session);
	return error;
}

struct ktally_loss tally_lost_samples(const struct tally *tally)
{
	return (struct ktally_loss) {
		.count = tally->lost[KTALLY_LOST_FULL].count + tally->lost[KTALLY_LOST_BUSY].count,
		.weight = tally->lost[KTALLY_LOST_FULL].weight + tally->lost[KTALLY_LOST_BUSY].weight,
	};
}

struct tally session_total(const struct session *session)
{
	struct tally total = {};
	unsigned int cpu, cause;

	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		const struct tally *part = &session->rings[cpu].tally;

		total.samples += part->samples;
		total.weight += part->weight;
		for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++) {
			total.lost[cause].count += part->lost[cause].count;
			total.lost[cause].weight += part->lost[cause].weight;
		}
		total.tasks += part->tasks;
		total.execs += part->execs;
		total.exits += part->exits;
		total.stacks += part->stacks;
		total.files += part->files;
		total.throttles += part->throttles;
		total.waits += part->waits;
		total.open_waits += part->open_waits;
	}
	return total;
}

uint64_t session_sum(const struct session *session, size_t offset)
{
	uint64_t sum = 0;
	unsigned int cpu;

	for (cpu = 0; cpu < CPUS_MAX; cpu++)
		if (session->rings[cpu].producer)
			sum += *(const volatile uint64_t *)((const volatile char *)session->rings[cpu].producer + offset);
	return sum;
}

const struct ktally_task *session_task(const struct session *session, uint64_t id)
{
	const struct id *found = ids_find(&session->tasks, id);

	return found ? found->record : NULL;
}

const struct ktally_stack *session_stack(const struct session *session, uint64_t id)
{
	const struct id *found = ids_find(&session->stacks, id);

	return found ? found->record : NULL;
}

const struct ktally_file *session_file(const struct session *session, uint32_t number)
{
	const struct id *found = ids_find(&session->files, number);

	return found ? found->record : NULL;
}
