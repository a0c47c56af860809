// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/reader.h on memory of its own: a writer thread at full speed, and rings that lie. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "lib/libktally.h"
#include "lib/reader.h"

#define RING_BYTES	(64 << 10)
#define CPU		3

static struct ktally_ring_consumer *consumer;
static struct ktally_ring_producer *producer;
static unsigned char *data;
static uint64_t rest_bytes = KTALLY_PAGE_BYTES + 2 * RING_BYTES;

/*
 * One file, its data pages mapped twice in a row, as the device does it. What follows is not mapped: touching it
 * crashes.
 */
static bool make_ring(void)
{
	int fd = memfd_create("ring", 0);
	unsigned char *area;

	if (fd < 0 || ftruncate(fd, 2 * KTALLY_PAGE_BYTES + RING_BYTES))
		return false;
	consumer = mmap(NULL, KTALLY_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	area = mmap(NULL, rest_bytes + KTALLY_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (consumer == MAP_FAILED || area == MAP_FAILED ||
	    mmap(area, KTALLY_PAGE_BYTES + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 KTALLY_PAGE_BYTES) == MAP_FAILED ||
	    mmap(area + KTALLY_PAGE_BYTES + RING_BYTES, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 2 * KTALLY_PAGE_BYTES) == MAP_FAILED)
		return false;
	close(fd);
	producer = (void *)area;
	data = area + KTALLY_PAGE_BYTES;
	return true;
}

static void reset(void)
{
	memset(data, 0, RING_BYTES);
	consumer->tail = 0;
	*producer = (struct ktally_ring_producer) {
		.magic = KTALLY_RING_MAGIC,
		.abi_version = KTALLY_ABI_VERSION,
		.cpu = CPU,
		.data_offset = 2 * KTALLY_PAGE_BYTES,
		.data_bytes = RING_BYTES,
		.rings = 1,
	};
}

static void attach_checks(void)
{
	struct ktally_reader reader;

#define REFUSES(change, ...) do {									\
	reset();											\
	change;												\
	check_number(ktally_reader_attach(&reader, CPU, consumer, producer, rest_bytes), -EPROTO, __VA_ARGS__);	\
} while (0)
	reset();
	check_number(ktally_reader_attach(&reader, CPU, consumer, producer, rest_bytes), 0, "takes a proper ring");
	check_number(ktally_reader_attach(&reader, CPU, consumer, producer, rest_bytes - 1), -EPROTO,
		     "refuses an area cut short");
	check_number(ktally_reader_attach(&reader, CPU, consumer, producer, 100), -EPROTO,
		     "refuses an area of less than a page");
	REFUSES(producer->magic++, "refuses another magic");
	REFUSES(producer->abi_version++, "refuses another ABI version");
	REFUSES(producer->cpu++, "refuses the ring of another CPU");
	REFUSES(producer->data_bytes = RING_BYTES - 8, "refuses a size that is no power of two");
	REFUSES(producer->data_bytes = 0, "refuses a ring without data");
	REFUSES(producer->data_bytes = 4096, "refuses a ring too small for the largest record");
	REFUSES(producer->data_bytes = 2 * RING_BYTES, "refuses data past the area");
	REFUSES(producer->data_bytes = 1ULL << 63, "refuses a size that overflows when doubled");
	REFUSES(producer->data_offset = KTALLY_PAGE_BYTES, "refuses data over the producer page");
	REFUSES(producer->data_offset = 0, "refuses data over the consumer page");
	REFUSES(producer->data_offset += 8, "refuses an offset that pushes data past the area");
	REFUSES(producer->data_offset = -8ULL, "refuses an offset that overflows");
	REFUSES(producer->data_offset -= 4, "refuses an offset that is not aligned");
#undef REFUSES
}

/* What the writer writes at position n is told by n: sizes and contents need no record of their own. */
static uint32_t size_of(uint64_t number)
{
	return sizeof(struct ktally_sample) + (uint32_t)(number * 2654435761u % 40) * 8;
}

static void fill(void *room, uint64_t number)
{
	struct ktally_sample *sample = room;

	*sample = (struct ktally_sample) {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = (uint16_t)size_of(number), .cpu = CPU },
		.time = number,
		.stack_id = ~number | 1,
		.task_id = 1,
		.weight = number * 3,
	};
}

#define RECORDS	2000000ULL

static void *write_records(void *ignored)
{
	uint64_t head = 0;

	for (uint64_t number = 0; number < RECORDS; number++) {
		while (head + size_of(number) - __atomic_load_n(&consumer->tail, __ATOMIC_ACQUIRE) > RING_BYTES)
			sched_yield();
		fill(data + head % RING_BYTES, number);
		head += size_of(number);
		__atomic_store_n(&producer->head, head, __ATOMIC_RELEASE);
	}
	return ignored;
}

/* A record is checked when handed out, and again before the next call: its room must not have been reused. */
static void with_writer(void)
{
	struct ktally_reader reader;
	uint64_t number = 0, wrong = 0, passes = 0;
	pthread_t writer;
	int error = 0;

	reset();
	check_number(ktally_reader_attach(&reader, CPU, consumer, producer, rest_bytes), 0, "attaches to a ring");
	pthread_create(&writer, NULL, write_records, NULL);
	while (number < RECORDS && !error) {
		const struct ktally_sample *sample, *held = NULL;

		error = ktally_reader_look(&reader);
		passes++;
		for (; !error && (sample = (const void *)ktally_reader_next(&reader, &error)); ktally_reader_done(&reader)) {
			wrong += sample->time != number || sample->weight != number * 3 ||
				 sample->header.size != size_of(number);
			held = sample;
			if (number % 1024 == 0)
				sched_yield();
			wrong += __atomic_load_n(&held->time, __ATOMIC_RELAXED) != number;
			number++;
		}
		ktally_reader_release(&reader);
		if (passes % 64 == 0)
			sched_yield();
	}
	pthread_join(writer, NULL);
	check_number(error, 0, "no error with a writer at full speed");
	check_number(number, RECORDS, "all records");
	check_number(wrong, 0, "in order, whole, and untouched while held");
	check_number(consumer->tail, producer->head, "all room is given back");
	check(!ktally_reader_has_more(&reader), "nothing more to read");
}

static void release(void)
{
	struct ktally_reader reader;
	const struct ktally_record *record;
	uint64_t head = 0, count = 0, tail_held = 0;
	int error = 0;

	reset();
	while (head + size_of(count) <= RING_BYTES) {
		fill(data + head, count);
		head += size_of(count++);
	}
	producer->head = head;
	ktally_reader_attach(&reader, CPU, consumer, producer, rest_bytes);
	check(ktally_reader_has_more(&reader), "there is something to read");
	ktally_reader_look(&reader);
	record = ktally_reader_next(&reader, &error);
	check(record && (const unsigned char *)record == data, "the first record");
	ktally_reader_release(&reader);
	check_number(consumer->tail, 0, "a record in hand is not given back, even by a release");
	ktally_reader_done(&reader);
	check((const void *)ktally_reader_next(&reader, &error) == data + size_of(0), "the second one");
	check((const void *)ktally_reader_next(&reader, &error) == data + size_of(0) + size_of(1), "the third one");
	ktally_reader_release(&reader);
	check_number(consumer->tail, size_of(0), "two in hand are not either, but the one before them is");
	fill(data + head % RING_BYTES, count);
	while (ktally_reader_done(&reader), ktally_reader_next(&reader, &error)) {
		if (consumer->tail - tail_held > RING_BYTES / 8 + KTALLY_RECORD_BYTES_MAX)
			error = -E2BIG;
		tail_held = consumer->tail;
	}
	check_number(error, 0, "room is given back in small steps while reading");
	check_number(reader.tail, head, "the pass ends at the head it saw");
}

/*
 * Random heads, random bytes, sizes that nearly fit. It must neither crash (the sanitizer and the hole behind the area)
 * nor stall.
 */
static void lies(void)
{
	uint64_t random = 88172645463325252ULL, records = 0, errors = 0, calm = 0, outside = 0;

	for (unsigned int round = 0; round < 20000; round++) {
		const struct ktally_record *record;
		struct ktally_reader reader;
		int error = 0;

		reset();
		consumer->tail = round % 3 ? 0 : (random >> 20) & ~7ULL;
		for (unsigned int i = 0; i < 64; i++) {
			struct ktally_record *at = (void *)(data + (consumer->tail + i * 1024) % RING_BYTES);

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			memcpy(at, &random, sizeof(random));
			if (round % 2) {
				at->size = random % 64 ? 1024 : (uint16_t)(random >> 40) & 0x3ff8;
				at->type = random % 128 == 1 ? KTALLY_RECORD_STACK :
								KTALLY_RECORD_SAMPLE + (random >> 8) % 2 * 100;
				memset(at + 1, (int)(random >> 32), 32);
			}
		}
		random ^= random << 5;
		random ^= random >> 11;
		producer->head = (random >> 9) % (RING_BYTES + 4096);
		producer->head = consumer->tail + (producer->head & (round % 7 ? ~1023ULL : ~7ULL));
		if (round % 5 == 0)
			producer->head = random;
		ktally_reader_attach(&reader, CPU, consumer, producer, rest_bytes);
		error = ktally_reader_look(&reader);
		while (!error && (record = ktally_reader_next(&reader, &error))) {
			const unsigned char *from = (const void *)record;

			records++;
			outside += from < data || from >= data + RING_BYTES ||
				   record->size > data + 2 * RING_BYTES - from;
		}
		errors += error == -EPROTO;
		calm += !error;
		outside += error && error != -EPROTO;
	}
	check(records > 1000, "fuzzed rings gave records (%llu)", (unsigned long long)records);
	check(errors > 1000, "and errors (%llu)", (unsigned long long)errors);
	check(calm > 100, "and ends without one (%llu)", (unsigned long long)calm);
	check_number(outside, 0, "none reached outside of the ring");
}

int main(void)
{
	if (!make_ring()) {
		check(false, "making a ring in memory");
		return check_end();
	}
	attach_checks();
	with_writer();
	release();
	lies();
	return check_end();
}
