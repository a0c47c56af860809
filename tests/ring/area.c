// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"

/* More than any record has bytes, so that one begun at the very end of the data still ends in the guard. */
#define GUARD_BYTES	(64UL << 10)

static int map_part(void *address, size_t bytes, int fd)
{
	int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);

	return mmap(address, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED ? -errno : 0;
}

int area_map(struct area *area, u64 bytes)
{
	char *consumer, *producer, *data;
	int fd, error = 0;

	memset(area, 0, sizeof(*area));
	fd = memfd_create("ring", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes)) {
		error = -errno;
		goto close;
	}

	area->mapped = 4 * GUARD_BYTES + 2 * KTALLY_PAGE_BYTES + 2 * bytes;
	area->base = mmap(NULL, area->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area->base == MAP_FAILED) {
		error = -errno;
		goto close;
	}
	consumer = area->base + GUARD_BYTES;
	producer = consumer + KTALLY_PAGE_BYTES + GUARD_BYTES;
	data = producer + KTALLY_PAGE_BYTES + GUARD_BYTES;

	error = map_part(consumer, KTALLY_PAGE_BYTES, -1);
	if (!error)
		error = map_part(producer, KTALLY_PAGE_BYTES, -1);
	if (!error)
		error = map_part(data, bytes, fd);
	if (!error)
		error = map_part(data + bytes, bytes, fd);
	if (error) {
		munmap(area->base, area->mapped);
		goto close;
	}

	area->ring.consumer = (void *)consumer;
	area->ring.producer = (void *)producer;
	area->ring.data = data;
	area->ring.bytes = bytes;
close:
	close(fd);
	return error;
}

void area_unmap(struct area *area)
{
	munmap(area->base, area->mapped);
	memset(area, 0, sizeof(*area));
}

void area_reset(struct area *area, u64 position)
{
	struct ktally_ring *ring = &area->ring;

	memset(ring->data, 0, ring->bytes);
	memset(ring->producer, 0, sizeof(*ring->producer));
	memset(ring->lost, 0, sizeof(ring->lost));
	memset(ring->announced, 0, sizeof(ring->announced));
	ring->nest = 0;
	ring->head = position;
	ring->published = position;
	ring->producer->head = position;
	ring->consumer->tail = position;
}
