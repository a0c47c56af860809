/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What writer and reader of the stress test know of each other: a record is a function of who wrote it and of its
 * number, in its size, its weight and every one of its bytes, and so is what it is counted as when it found no room.
 * The reader needs nothing else to hold the ring to account.
 */
#ifndef KTALLY_TEST_STRESS_H
#define KTALLY_TEST_STRESS_H

#include <pthread.h>
#include <signal.h>

#include "area.h"

enum { TASK, INTERRUPT, NMI, CONTEXTS };

#define STRESS_TYPE	100

struct stress_record {
	struct ktally_record header;	/* flags: the context */
	u64 sequence;
	u64 words[];
};

struct variant {
	const char *name;
	u64 bytes;
	bool pinned;		/* the writer, to a CPU */
	bool hostile;		/* the tail is noise, nobody reads */
	bool slow;		/* the reader sleeps at times */
	bool kernel;		/* the reader is read(), in the kernel: it goes by ring.published */
};

/* Everything of one variant's run. */
struct stress {
	const struct variant *variant;
	struct area area;
	u64 stop;		/* tells the threads to end */
	u64 written;		/* tells the reader that nothing follows */

	/* by the writer */
	u64 spent_ns;		/* of CPU time, signals included */
	sigset_t signals;
	volatile u32 level;	/* the context that runs */
	struct {
		u64 sequence;		/* next */
		u64 visits;
		u64 random;
		u64 depths[1 + CONTEXTS];	/* visits by how deep they were nested */
		struct ktally_loss lost[KTALLY_LOST_CAUSES];
	} contexts[CONTEXTS];

	/* by the reader */
	u64 read, bytes_read, batches;
	u64 sequence[CONTEXTS];
	struct ktally_loss missing[KTALLY_LOST_CAUSES];	/* by the gaps between numbers */
	struct ktally_loss told[KTALLY_LOST_CAUSES];	/* by LOST records */
};

/* Also in signal handlers: says what is wrong and ends the test. */
__attribute__((format(printf, 1, 2), noreturn))
void stress_die(const char *format, ...);

/* stress_writer.c: writes until @stop, under signals, then until all losses are announced. */
void *stress_write(void *stress);

/* stress_reader.c */
void *stress_read(void *stress);
void *stress_scribble(void *stress);	/* the hostile one: */
void stress_lie(struct ktally_ring *ring, u64 *random);

static inline u64 stress_mix(u64 value)
{
	value ^= value >> 33;
	value *= 0xff51afd7ed558ccdULL;
	value ^= value >> 33;
	value *= 0xc4ceb9fe1a85ec53ULL;
	return value ^ value >> 33;
}

static inline u64 stress_seed(u32 context, u64 sequence)
{
	return stress_mix(sequence * CONTEXTS + context + 1);
}

/* Mostly as long as a sample, at times as a stack, at times as long as may be. */
static inline u32 stress_bytes(u64 seed)
{
	u32 words = 4 + seed % 5;

	if (seed >> 32 & 4095)
		words += seed >> 32 & 63 ? 0 : seed >> 44 & 127;
	else
		words = KTALLY_RECORD_BYTES_MAX / 8;
	return words * 8;
}

static inline u64 stress_weight(u64 seed)
{
	return 1 + (seed & 0xffffff);
}

static inline u32 stress_cause(u32 context)
{
	return context == NMI ? KTALLY_LOST_NOTICE : KTALLY_LOST_FULL;
}

static inline u64 stress_word(u64 seed, u32 i)
{
	return (seed + i) * 0x9e3779b97f4a7c15ULL;
}

static inline void stress_fill(struct stress_record *record, u32 context, u64 sequence)
{
	const u64 seed = stress_seed(context, sequence);
	const u32 bytes = stress_bytes(seed);
	u32 i;

	record->header = (struct ktally_record) { STRESS_TYPE, context, bytes, 0 };
	record->sequence = sequence;
	for (i = 0; i < (bytes - sizeof(*record)) / 8; i++)
		record->words[i] = stress_word(seed, i);
}

/* Every byte of it. */
static inline bool stress_intact(const struct stress_record *record)
{
	const u64 seed = stress_seed(record->header.flags, record->sequence);
	const u32 bytes = stress_bytes(seed);
	u64 wrong = 0;
	u32 i;

	if (record->header.type != STRESS_TYPE || record->header.flags >= CONTEXTS || record->header.size != bytes ||
	    record->header.cpu)
		return false;
	for (i = 0; i < (bytes - sizeof(*record)) / 8; i++)
		wrong |= record->words[i] ^ stress_word(seed, i);
	return !wrong;
}

static inline bool stress_is_lost(const struct ktally_lost *lost)
{
	return lost->header.type == KTALLY_RECORD_LOST && lost->header.size == sizeof(*lost) && !lost->header.flags &&
	       !lost->header.cpu && lost->time && lost->cause < KTALLY_LOST_CAUSES && !lost->reserved;
}

#endif
