/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the model checker share: the scenario, what is in the ring and what has happened in this run.
 * model.c has the idea.
 */
#ifndef KTALLY_TEST_MODEL_H
#define KTALLY_TEST_MODEL_H

#include "area.h"
#include "explore.h"

#define BYTES		4096ULL		/* of the ring: the least that can be mapped twice */
#define START		(5 * BYTES - 56)	/* so that records go across the end */
#define RECORDS_MAX	32
#define TAILS_MAX	16

enum level { TASK, INTERRUPT, NMI, LEVELS };

extern const char * const level_names[LEVELS];

struct scenario {
	const char *name;
	unsigned int nested;	/* contexts that may come in between */
	unsigned int steps;	/* that the reader may take meanwhile */
	u64 room;		/* free at the start; the rest is one record, not read yet */
	u32 bytes;		/* of a record */
	bool hostile;		/* any tail may be seen at any time; nobody reads */
	bool kernel;		/* the reader is read(), in the kernel: it goes by ring.published */
	void (*run[LEVELS])(void);
	u64 runs_least;		/* fewer: the hooks are not where they were */
};

/* What there is to try, and the one that is being tried. */
extern const struct scenario scenarios[];
extern const unsigned int scenario_count;
extern const struct scenario *scenario;

extern struct area area;

enum record_kind { FILLER, OURS, LOSS };

/* What is in the ring, as seen by who put it there. */
struct record {
	enum record_kind kind;
	enum level level;
	u64 position;
	u64 bytes;
	u64 sequence;
	bool ended;		/* its context has come to ktally_ring_end() */
};

/* One run's state: zero at its start. */
struct now {
	enum level level;
	unsigned int depth;
	bool quiet;		/* nothing comes in between */
	unsigned int accesses, nested, steps;
	struct record records[RECORDS_MAX];
	unsigned int record_count;
	u64 sequence[LEVELS];	/* next of each context, whether it found room or not */
	u64 missing[LEVELS];
	struct ktally_loss lost[KTALLY_LOST_CAUSES];
	u64 tails[TAILS_MAX];	/* stored by the reader so far */
	unsigned int tail_count, tail_seen;
	u64 tail;		/* that the writer saw last */
	u64 visible;		/* the head that the reader goes by */
	bool late;		/* records reach the reader as late as they may */
};

extern struct now now;

/* The data as it was at the last store-release of that head. */
extern char late_data[BYTES];

/* What happened in any run of a scenario. */
struct seen {
	unsigned int depth;
	u64 full, read, told, late;
};

extern struct seen seen;

/* The words of a record that are looked at: a long one's middle adds nothing. */
#define WORDS	2

static inline u32 offset_of(const struct record *record, u32 word)
{
	return word ? record->bytes - 8 : 8;
}

static inline u64 word_of(const struct record *record, u32 word)
{
	return (((u64)record->kind << 8 | record->level) << 48 | record->sequence << 32) + word + 1;
}

static inline struct ktally_record header_of(const struct record *record)
{
	return (struct ktally_record) { 100 + record->kind, record->level, record->bytes, 0 };
}

/* model.c: a point where something may come in between; something that the reader notices, or not. */
void interfere(bool concerns_reader);

/* model_reader.c */
struct reader {
	enum { READER_LOADS, READER_READS, READER_STORES } next;
	u64 head, position;
	u64 sequence[LEVELS], missing[LEVELS];
	struct ktally_loss lost[KTALLY_LOST_CAUSES];
};

extern struct reader reader;

const u64 *reader_head(void);
bool reader_can_step(void);
void reader_step(void);
void read_all(void);

/* model_scenarios.c: once more between begin and end, to say what was lost. */
void announces(void);

#endif
