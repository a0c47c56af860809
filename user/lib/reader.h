/* SPDX-License-Identifier: MIT */
/*
 * The reader's side of one ring, on memory that somebody else mapped. What the producer page and the records say is
 * checked before it is used, although the kernel wrote it: a profiler has no business crashing because another
 * component is broken.
 *
 * Reading goes in passes: look() notes how far the ring is filled, next() hands out what lies below, record by record.
 * So a pass ends even when records come faster than they are read, and who serves many rings is fair to all.
 */
#ifndef KTALLY_READER_H
#define KTALLY_READER_H

#include <stdbool.h>
#include <linux/ktally.h>

/**
 * struct ktally_reader - a ring, as its reader sees it
 * @consumer: page that tells the producer what is consumed; only ever written
 * @producer: page that tells what can be consumed
 * @data: the records, mapped twice in a row
 * @bytes: how many there are of them, a power of two
 * @released: what @consumer says
 * @tail: everything below is consumed; what is in the caller's hands begins here
 * @in_hand: bytes of these records, 0: the caller has none
 * @end: everything below belongs to this pass
 * @cpu: whose ring it is
 */
struct ktally_reader {
	struct ktally_ring_consumer *consumer;
	const struct ktally_ring_producer *producer;
	const unsigned char *data;
	__u64 bytes;
	__u64 released;
	__u64 tail;
	__u64 end;
	__u32 in_hand;
	__u32 cpu;
};

/*
 * @rest: the area from the producer page on, @rest_bytes of it. Begins at the position that the consumer page has.
 * -EPROTO: not a ring of this ABI version, or inconsistent.
 */
int ktally_reader_attach(struct ktally_reader *reader, __u32 cpu, struct ktally_ring_consumer *consumer,
			 const void *rest, __u64 rest_bytes);

/* Begins a pass. -EPROTO: the ring claims to hold more than it has room for. */
int ktally_reader_look(struct ktally_reader *reader);

/*
 * The next record of this pass, NULL at its end; those handed out before stay in the caller's hands. *error is set to
 * -EPROTO for something that is not a record; nothing can be read after that, because where the next record begins is
 * not known.
 */
const struct ktally_record *ktally_reader_next(struct ktally_reader *reader, int *error);

/* The records in hand are not needed any more. */
void ktally_reader_done(struct ktally_reader *reader);

/* Lets the producer have the room of everything that is consumed. */
void ktally_reader_release(struct ktally_reader *reader);

/* Whether there is something to read that is not consumed. */
bool ktally_reader_has_more(const struct ktally_reader *reader);

#endif
