// SPDX-License-Identifier: GPL-2.0-or-later
/* The other side: a reader that believes nothing until it has seen it, and one that is out to do harm. */
#include <sched.h>
#include <time.h>

#include "stress.h"

static void read_record(struct stress *stress, const struct stress_record *record)
{
	const u32 context = record->header.flags;
	u64 sequence;

	if (!stress_intact(record))
		stress_die("an incomplete record was visible");
	if (record->sequence < stress->sequence[context])
		stress_die("record %llu of context %u after record %llu", record->sequence, context,
			   stress->sequence[context]);
	for (sequence = stress->sequence[context]; sequence < record->sequence; sequence++) {
		stress->missing[stress_cause(context)].count++;
		stress->missing[stress_cause(context)].weight += stress_weight(stress_seed(context, sequence));
	}
	stress->sequence[context] = record->sequence + 1;
	stress->read++;
}

static void read_lost(struct stress *stress, const struct ktally_lost *lost)
{
	if (!stress_is_lost(lost) || !lost->loss.count)
		stress_die("a LOST record of %llu, cause %u", lost->loss.count, lost->cause);
	stress->told[lost->cause].count += lost->loss.count;
	stress->told[lost->cause].weight += lost->loss.weight;
}

void *stress_read(void *argument)
{
	struct stress *stress = argument;
	const struct ktally_ring *ring = &stress->area.ring;
	const u64 *visible = stress->variant->kernel ? &ring->published : &ring->producer->head;
	u64 tail = ring->consumer->tail, last = tail, idle = 0;

	for (;;) {
		const bool written = smp_load_acquire(&stress->written);
		const u64 head = smp_load_acquire(visible);
		/* At times the room is given back record by record, at times all at once. */
		const bool eager = stress->batches & 1;

		if (head < last || head - tail > ring->bytes)
			stress_die("head was %llu, is %llu, tail %llu", last, head, tail);
		last = head;
		if (head == tail) {
			if (written)
				return NULL;
			if (++idle % 64 == 0)
				sched_yield();
			continue;
		}
		stress->batches++;
		stress->bytes_read += head - tail;
		while (tail != head) {
			const void *record = (const char *)ring->data + (tail & (ring->bytes - 1));
			const struct ktally_record *header = record;

			if (header->type == KTALLY_RECORD_LOST)
				read_lost(stress, record);
			else
				read_record(stress, record);
			tail += header->size;
			if (tail > head)
				stress_die("the head at %llu cuts a record that ends at %llu", head, tail);
			if (eager)
				smp_store_release(&ring->consumer->tail, tail);
		}
		smp_store_release(&ring->consumer->tail, tail);
		if (stress->variant->slow && !(stress->batches & 7))
			nanosleep(&(struct timespec) { 0, 50000 }, NULL);
	}
}

/* What it stores is near what a writer may take for the truth, or far from it. */
void stress_lie(struct ktally_ring *ring, u64 *random)
{
	const u64 head = READ_ONCE(ring->producer->head);
	u64 tail, near;

	*random = stress_mix(*random + 0x9e3779b97f4a7c15ULL);
	near = *random >> 16 & 8191;
	switch (*random & 15) {
	case 0:
		tail = *random;
		break;
	case 1:
		tail = 0;
		break;
	case 2:
		tail = ~0ULL - near;
		break;
	case 3:
		tail = head - ring->bytes + near;
		break;
	case 4:
		tail = head - near;
		break;
	case 5:
		tail = head + ring->bytes - near;
		break;
	case 6:
	case 7:
		tail = head + near;
		break;
	default:
		tail = head;
	}
	WRITE_ONCE(ring->consumer->tail, tail);
}

void *stress_scribble(void *argument)
{
	struct stress *stress = argument;
	u64 random = 1;

	while (!READ_ONCE(stress->stop))
		stress_lie(&stress->area.ring, &random);
	return NULL;
}
