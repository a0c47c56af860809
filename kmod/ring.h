/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring: variable-length records from one CPU to one reader, without locks.
 *
 * The writer is one CPU, in any context, nested as interrupts nest: an NMI may interrupt an
 * interrupt that interrupted a task, each in the middle of writing. Contexts nest strictly, the
 * inner one always finishes first; that is what the design stands on. Every writer reserves its
 * bytes by moving @head; only the outermost one makes them visible, all at once, when it ends. So
 * the reader never meets an unfinished record and needs no per-record state.
 *
 * Nothing that decides where the kernel writes is ever read from a page that user space can write,
 * except the reader's tail; and that can only make a reservation fail, or the reader's own records
 * be overwritten: see ktally_ring_reserve().
 *
 * This file compiles in user space as well (tests/ring), where signals play the NMIs.
 */
#ifndef KTALLY_RING_H
#define KTALLY_RING_H

#ifdef __KERNEL__
#include <linux/types.h>
#endif
#include <linux/ktally.h>

/**
 * struct ktally_ring - the writer's side of a ring; private to the kernel
 * @producer: page that readers may read
 * @consumer: page that readers may write: never trusted
 * @data: the records, @bytes of them, mapped twice in a row
 * @bytes: a power of two
 * @head: everything below is reserved
 * @published: everything below is visible; what lies between is being written
 * @nest: how many contexts are between ktally_ring_begin() and ktally_ring_end() now
 * @lost: by cause, since ever
 * @announced: how much of @lost the reader was told in LOST records; only used by the context that announces
 */
struct ktally_ring {
	struct ktally_ring_producer *producer;
	struct ktally_ring_consumer *consumer;
	void *data;
	u64 bytes;
	u64 head;
	u64 published;
	u32 nest;
	struct ktally_loss lost[KTALLY_LOST_CAUSES];
	struct ktally_loss announced[KTALLY_LOST_CAUSES];
};

/* Any context of the ring's CPU; must not migrate meanwhile. */
void ktally_ring_begin(struct ktally_ring *ring);
void *ktally_ring_reserve(struct ktally_ring *ring, u32 bytes);
void ktally_ring_end(struct ktally_ring *ring);

void ktally_ring_lose(struct ktally_ring *ring, u32 cause, u64 count, u64 weight);
bool ktally_ring_has_losses(const struct ktally_ring *ring);
u64 ktally_ring_room(const struct ktally_ring *ring);

/* One context at a time, between begin and end. Returns whether nothing remains to be announced. */
bool ktally_ring_announce(struct ktally_ring *ring, u16 cpu, u64 time);

/* Any context of any CPU: bytes that the reader has not consumed, by its own account. */
u64 ktally_ring_unread(const struct ktally_ring *ring);

#endif /* KTALLY_RING_H */
