// SPDX-License-Identifier: GPL-2.0-or-later
/* What contexts do in the model, and the scenarios made of that. */
#include "model.h"

static u64 weight_of(enum level level, u64 sequence)
{
	return 1000 * (level + 1) + 7 * sequence;
}

static void lose(u32 cause, u64 count, u64 weight)
{
	now.lost[cause].count += count;
	now.lost[cause].weight += weight;
	ktally_ring_lose(&area.ring, cause, count, weight);
}

static void write_record(void)
{
	struct ktally_ring *ring = &area.ring;
	const enum level level = now.level;
	const u64 sequence = now.sequence[level]++;
	struct record *record;
	u32 word;
	char *room;

	room = ktally_ring_reserve(ring, scenario->bytes);
	if (!room) {
		if (!scenario->hostile && ring->head + scenario->bytes - now.tail <= BYTES &&
		    ring->head + scenario->bytes - ring->published <= BYTES)
			explore_fail("lost although there is room");
		seen.full++;
		now.missing[level]++;
		lose(KTALLY_LOST_FULL, 1, weight_of(level, sequence));
		return;
	}

	/* Of the records of this context, the last one: nested ones have come and gone since. */
	record = &now.records[now.record_count];
	do {
		if (record-- == now.records)
			explore_fail("has reserved nothing");
	} while (record->level != level || record->ended);
	record->kind = OURS;
	record->sequence = sequence;
	if (room != (char *)ring->data + (record->position & (BYTES - 1)) || record->bytes != scenario->bytes)
		explore_fail("the room given is not the room reserved");

	*(struct ktally_record *)room = header_of(record);
	for (word = 0; word < WORDS; word++) {
		interfere(true);
		explore_tell("# %*s%s: write word %u at %llu\n", 2 * (int)level, "", level_names[level], word,
			     record->position);
		*(u64 *)(room + offset_of(record, word)) = word_of(record, word);
	}
}

/* All that this context wrote must still be there, as no reader has been shown it. */
static void end(void)
{
	unsigned int i;

	for (i = 0; i < now.record_count; i++) {
		struct record *record = &now.records[i];

		if (record->level != now.level || record->ended)
			continue;
		if (record->kind == OURS) {
			const char *data = (char *)area.ring.data + (record->position & (BYTES - 1));
			u32 word;

			for (word = 0; word < WORDS; word++)
				if (*(u64 *)(data + offset_of(record, word)) != word_of(record, word))
					explore_fail("word %u at %llu was overwritten before its time", word,
						     record->position);
		}
		record->ended = true;
	}
	ktally_ring_end(&area.ring);
}

static void writes(void)
{
	ktally_ring_begin(&area.ring);
	write_record();
	end();
}

static void writes_twice(void)
{
	ktally_ring_begin(&area.ring);
	write_record();
	write_record();
	end();
}

void announces(void)
{
	ktally_ring_begin(&area.ring);
	ktally_ring_announce(&area.ring, 0, 1);
	end();
}

static void announces_and_writes(void)
{
	ktally_ring_begin(&area.ring);
	ktally_ring_announce(&area.ring, 0, 1);
	write_record();
	end();
}

static void lose_one(u32 cause)
{
	const u64 sequence = now.sequence[now.level]++;

	now.missing[now.level]++;
	lose(cause, 1, weight_of(now.level, sequence));
}

static void loses(void)
{
	lose_one(KTALLY_LOST_FULL);
}

static void loses_busy(void)
{
	lose_one(KTALLY_LOST_BUSY);
}

/* The short ones first. */
const struct scenario scenarios[] = {
	{
		.name = "losses of one cause while they are announced",
		.room = 0, .bytes = 24, .nested = 3, .runs_least = 10000,
		.run = { loses, announces, loses },
	}, {
		.name = "losses while the outermost announces",
		.room = 0, .bytes = 24, .nested = 2, .steps = 3, .runs_least = 20000,
		.run = { announces_and_writes, loses, loses_busy },
	}, {
		.name = "losses in an empty ring while the outermost announces",
		.room = BYTES, .bytes = 24, .nested = 3, .runs_least = 20000,
		.run = { announces_and_writes, loses, loses },
	}, {
		.name = "a ring that lacks a word of room",
		.room = 16, .bytes = 24, .nested = 2, .steps = 4, .runs_least = 300000,
		.run = { writes, announces_and_writes, writes },
	}, {
		.name = "a hostile tail",
		.room = BYTES, .bytes = 1600, .nested = 2, .hostile = true, .runs_least = 300000,
		.run = { writes, writes, writes },
	}, {
		.name = "a hostile tail and announcements",
		.room = BYTES, .bytes = 2040, .nested = 2, .hostile = true, .runs_least = 300000,
		.run = { writes, announces_and_writes, writes },
	}, {
		.name = "records in an empty ring",
		.room = BYTES, .bytes = 24, .nested = 2, .steps = 4, .runs_least = 400000,
		.run = { writes, writes, writes },
	}, {
		.name = "two records at once",
		.room = BYTES, .bytes = 24, .nested = 2, .steps = 3, .runs_least = 400000,
		.run = { writes_twice, writes, writes_twice },
	}, {
		.name = "four interruptions",
		.room = BYTES, .bytes = 24, .nested = 4, .runs_least = 400000,
		.run = { writes, writes, writes },
	}, {
		.name = "the last room in the ring",
		.room = 48, .bytes = 24, .nested = 2, .steps = 3, .runs_least = 1000000,
		.run = { writes, announces_and_writes, writes },
	}, {
		.name = "read() of the last room in the ring",
		.room = 48, .bytes = 24, .nested = 2, .steps = 2, .kernel = true, .runs_least = 100000,
		.run = { writes, announces_and_writes, writes },
	},
};

const unsigned int scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
