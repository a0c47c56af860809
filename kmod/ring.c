// SPDX-License-Identifier: GPL-2.0
/*
 * Reserving, publishing and counting what did not fit. See ring.h for the idea.
 *
 * Memory ordering, drawn once:
 *
 *	writer (kernel)				reader
 *
 *	load-acquire consumer->tail	A	load-acquire producer->head	C
 *	write records				read records
 *	store-release producer->head	C	store-release consumer->tail	A
 *
 * A reader in the kernel goes by @published, which is ordered as producer->head is.
 *
 * A: the reader's loads of a record are done before the tail that frees it is seen here and the bytes are written anew.
 * C: the bytes of a record are there before the head that covers it is seen.
 *
 * Between nested writers there is one CPU, hence program order; barrier() keeps the compiler to it.
 */
#ifdef __KERNEL__
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include <asm/cmpxchg.h>
#else
#include "ring_user.h"
#endif

#include "ring.h"

/* Adds to a counter that a nested context may add to at any instruction. */
static void add(u64 *counter, u64 value)
{
	u64 old;

	do {
		old = READ_ONCE(*counter);
	} while (cmpxchg_local(counter, old, old + value) != old);
}

/*
 * The copy for the reader. A nested context may show a newer value in between, which this then hides: so it is shown
 * once more whenever losses are announced.
 */
static void show_losses(struct ktally_ring *ring, u32 cause)
{
	WRITE_ONCE(ring->producer->lost[cause].weight, READ_ONCE(ring->lost[cause].weight));
	WRITE_ONCE(ring->producer->lost[cause].count, READ_ONCE(ring->lost[cause].count));
}

/**
 * ktally_ring_begin() - enter the ring
 * @ring: this CPU's
 *
 * Not atomic, and need not be: whoever interrupts the increment puts @nest back before it returns.
 */
void ktally_ring_begin(struct ktally_ring *ring)
{
	WRITE_ONCE(ring->nest, READ_ONCE(ring->nest) + 1);
	barrier();
}

/**
 * ktally_ring_reserve() - room for one record
 * @ring: this CPU's, between begin and end
 * @bytes: size of the record, a multiple of 8, at most KTALLY_RECORD_BYTES_MAX
 *
 * The caller must fill all of it before it calls ktally_ring_end(): the bytes hold whatever an older record left there.
 *
 * The first comparison protects what the reader says it has not read. If it lies, it cheats only itself. The second
 * protects what outer contexts have reserved and are still writing, against a tail that claims all was read; those
 * bytes lie above @published. Both are unsigned, so that a tail far in the future reads as a full ring.
 *
 * Return: the room, or NULL when the ring is full; then the caller counts the loss.
 */
void *ktally_ring_reserve(struct ktally_ring *ring, u32 bytes)
{
	u64 head, next, tail;

	do {
		head = READ_ONCE(ring->head);
		next = head + bytes;
		tail = smp_load_acquire(&ring->consumer->tail);		/* A */
		if (next - tail > ring->bytes || next - READ_ONCE(ring->published) > ring->bytes)
			return NULL;
	} while (cmpxchg_local(&ring->head, head, next) != head);

	return ring->data + (head & (ring->bytes - 1));
}

/**
 * ktally_ring_end() - leave the ring; the outermost context makes all records visible
 * @ring: this CPU's
 *
 * A context that interrupts between our reading @head and our clearing @nest sees that it is nested and leaves the
 * publishing to us; so look once more after @nest is cleared. One that interrupts later publishes by itself, and then
 * publishing the same once more does no harm: @head never goes back.
 */
void ktally_ring_end(struct ktally_ring *ring)
{
	u64 head;

	barrier();
	if (READ_ONCE(ring->nest) > 1) {
		WRITE_ONCE(ring->nest, READ_ONCE(ring->nest) - 1);
		return;
	}

	do {
		WRITE_ONCE(ring->nest, 1);
		barrier();
		head = READ_ONCE(ring->head);
		smp_store_release(&ring->published, head);		/* C */
		smp_store_release(&ring->producer->head, head);		/* C */
		barrier();
		WRITE_ONCE(ring->nest, 0);
		barrier();
	} while (READ_ONCE(ring->head) != head);
}

/**
 * ktally_ring_lose() - count what could not be written
 * @ring: this CPU's
 * @cause: KTALLY_LOST_*
 * @count: records
 * @weight: nanoseconds they stood for
 */
void ktally_ring_lose(struct ktally_ring *ring, u32 cause, u64 count, u64 weight)
{
	add(&ring->lost[cause].weight, weight);
	add(&ring->lost[cause].count, count);
	show_losses(ring, cause);
}

/**
 * ktally_ring_has_losses() - whether there is anything to announce
 * @ring: this CPU's
 */
bool ktally_ring_has_losses(const struct ktally_ring *ring)
{
	u32 cause;

	for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++)
		if (READ_ONCE(ring->lost[cause].count) != ring->announced[cause].count)
			return true;
	return false;
}

/**
 * ktally_ring_announce() - write a LOST record for each cause that has losses the reader was not told of
 * @ring: this CPU's, between begin and end
 * @cpu: for the records' headers
 * @time: for the records
 *
 * A nested context may count more losses meanwhile; those are announced next time. What was read here is what is
 * announced, so the sum over all LOST records is exact at any time. The count is read first, as it is added to last: a
 * weight may be told before its count, but never be left behind when the counts are equal.
 *
 * Return: true if all that was lost before the call is announced; false if the ring has no room to say so.
 */
bool ktally_ring_announce(struct ktally_ring *ring, u16 cpu, u64 time)
{
	bool all = true;
	u32 cause;

	for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++) {
		struct ktally_loss *announced = &ring->announced[cause];
		struct ktally_lost *lost;
		struct ktally_loss now;

		now.count = READ_ONCE(ring->lost[cause].count);
		now.weight = READ_ONCE(ring->lost[cause].weight);
		show_losses(ring, cause);
		if (now.count == announced->count)
			continue;
		lost = ktally_ring_reserve(ring, sizeof(*lost));
		if (!lost) {
			all = false;
			continue;	/* to show the others */
		}
		*lost = (struct ktally_lost) {
			.header		= { KTALLY_RECORD_LOST, 0, sizeof(*lost), cpu },
			.time		= time,
			.cause		= cause,
			.loss.count	= now.count - announced->count,
			.loss.weight	= now.weight - announced->weight,
		};
		*announced = now;
	}
	return all;
}

/**
 * ktally_ring_room() - bytes that are free now
 * @ring: this CPU's, between begin and end
 *
 * A nested context may take some of them before they can be reserved.
 */
u64 ktally_ring_room(const struct ktally_ring *ring)
{
	u64 tail = READ_ONCE(ring->consumer->tail);
	u64 taken = READ_ONCE(ring->head) - tail;

	return taken <= ring->bytes ? ring->bytes - taken : 0;
}

/**
 * ktally_ring_unread() - bytes between the reader's tail and what is visible
 * @ring: any CPU's
 *
 * Return: at most the size of the ring; a tail that makes no sense counts as nothing unread, for nobody reads there.
 */
u64 ktally_ring_unread(const struct ktally_ring *ring)
{
	u64 tail = READ_ONCE(ring->consumer->tail);
	u64 unread = READ_ONCE(ring->published) - tail;

	return unread <= ring->bytes ? unread : 0;
}
