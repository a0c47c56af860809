// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stddef.h>

#include "lib/libktally.h"
#include "lib/reader.h"

int ktally_reader_attach(struct ktally_reader *reader, __u32 cpu, struct ktally_ring_consumer *consumer,
			 const void *rest, __u64 rest_bytes)
{
	const struct ktally_ring_producer *producer = rest;
	__u64 offset, bytes;

	if (rest_bytes < KTALLY_PAGE_BYTES || producer->magic != KTALLY_RING_MAGIC ||
	    producer->abi_version != KTALLY_ABI_VERSION || producer->cpu != cpu)
		return -EPROTO;
	offset = producer->data_offset;
	bytes = producer->data_bytes;
	if (bytes < KTALLY_RECORD_BYTES_MAX || (bytes & (bytes - 1)) || offset < 2 * KTALLY_PAGE_BYTES || offset % 8)
		return -EPROTO;
	offset -= KTALLY_PAGE_BYTES;
	if (offset > rest_bytes || bytes > (rest_bytes - offset) / 2)
		return -EPROTO;
	*reader = (struct ktally_reader) {
		.consumer = consumer,
		.producer = producer,
		.data = (const unsigned char *)rest + offset,
		.bytes = bytes,
		.cpu = cpu,
	};
	reader->released = reader->tail = reader->end = __atomic_load_n(&consumer->tail, __ATOMIC_RELAXED);
	return 0;
}

int ktally_reader_look(struct ktally_reader *reader)
{
	__u64 head = __atomic_load_n(&reader->producer->head, __ATOMIC_ACQUIRE);

	if (head - reader->tail > reader->bytes || (head | reader->tail) % 8)
		return -EPROTO;
	reader->end = head;
	return 0;
}

/*
 * The size is read once: should memory change under us, the walk still stays within the ring, whose second mapping
 * follows, and ends where the pass ends.
 */
const struct ktally_record *ktally_reader_next(struct ktally_reader *reader, int *error)
{
	__u64 at = reader->tail + reader->in_hand;
	const struct ktally_record *record;
	int bytes;

	if (at == reader->end)
		return NULL;
	record = (const void *)(reader->data + (at & (reader->bytes - 1)));
	bytes = ktally_check_record(record, reader->end - at);
	if (bytes <= 0) {
		*error = -EPROTO;
		return NULL;
	}
	reader->in_hand += (__u32)bytes;
	return record;
}

/* The producer is told in steps of an eighth: telling it of every record would move the cache line back and forth. */
void ktally_reader_done(struct ktally_reader *reader)
{
	reader->tail += reader->in_hand;
	reader->in_hand = 0;
	if (reader->tail - reader->released >= reader->bytes / 8)
		ktally_reader_release(reader);
}

void ktally_reader_release(struct ktally_reader *reader)
{
	if (reader->released != reader->tail) {
		__atomic_store_n(&reader->consumer->tail, reader->tail, __ATOMIC_RELEASE);
		reader->released = reader->tail;
	}
}

bool ktally_reader_has_more(const struct ktally_reader *reader)
{
	return __atomic_load_n(&reader->producer->head, __ATOMIC_ACQUIRE) != reader->tail + reader->in_hand;
}
