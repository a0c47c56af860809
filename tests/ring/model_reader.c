// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader of the model: what it does in one step, and what it holds against what it reads. */
#include <string.h>

#include "model.h"

struct reader reader;

static void read_loss(const struct record *record, const char *data)
{
	struct ktally_lost lost;

	memcpy(&lost, data, sizeof(lost));
	if (lost.header.type != KTALLY_RECORD_LOST || lost.header.size != sizeof(lost) || record->bytes != sizeof(lost))
		explore_fail("at %llu should be a LOST record", record->position);
	if (lost.cause >= KTALLY_LOST_CAUSES || !lost.loss.count)
		explore_fail("LOST of cause %u counts %llu", lost.cause, lost.loss.count);
	reader.lost[lost.cause].count += lost.loss.count;
	reader.lost[lost.cause].weight += lost.loss.weight;
	seen.told++;
}

static void read_ours(const struct record *record, const char *data)
{
	struct ktally_record header = header_of(record);
	u32 word;

	if (memcmp(data, &header, sizeof(header)))
		explore_fail("the header at %llu is not what was written", record->position);
	for (word = 0; word < WORDS; word++) {
		u64 value;

		memcpy(&value, data + offset_of(record, word), sizeof(value));
		if (value != word_of(record, word))
			explore_fail("word %u at %llu is not what was written", word, record->position);
	}
	if (record->kind != OURS)
		return;
	if (record->sequence < reader.sequence[record->level])
		explore_fail("records of the %s are out of order", level_names[record->level]);
	reader.missing[record->level] += record->sequence - reader.sequence[record->level];
	reader.sequence[record->level] = record->sequence + 1;
	seen.read++;
}

static void read_record(void)
{
	static char copy[2 * BYTES];
	const char *data = (char *)area.ring.data + (reader.position & (BYTES - 1));
	const struct record *record = NULL;
	unsigned int i;

	for (i = 0; i < now.record_count && !record; i++)
		if (now.records[i].position == reader.position)
			record = &now.records[i];
	if (!record)
		explore_fail("no record begins at %llu, below the head", reader.position);
	if (reader.position + record->bytes > reader.head)
		explore_fail("the head cuts a record");

	if (now.late) {
		memcpy(copy, late_data, BYTES);
		memcpy(copy + BYTES, late_data, BYTES);
		data = copy + (reader.position & (BYTES - 1));
	}
	if (record->kind == LOSS)
		read_loss(record, data);
	else
		read_ours(record, data);
	reader.position += record->bytes;
}

const u64 *reader_head(void)
{
	return scenario->kernel ? &area.ring.published : &area.ring.producer->head;
}

bool reader_can_step(void)
{
	return reader.next != READER_LOADS || *reader_head() != reader.position;
}

void reader_step(void)
{
	if (reader.next == READER_LOADS) {
		reader.head = *reader_head();
		explore_tell("#\t\t\t\treader: load head = %llu\n", reader.head);
		if (reader.head < reader.position || reader.head - reader.position > BYTES)
			explore_fail("head %llu, tail %llu", reader.head, reader.position);
		reader.next = READER_READS;
	} else if (reader.next == READER_READS) {
		explore_tell("#\t\t\t\treader: read the record at %llu\n", reader.position);
		read_record();
		if (reader.position == reader.head)
			reader.next = READER_STORES;
	} else {
		explore_tell("#\t\t\t\treader: store tail = %llu\n", reader.position);
		if (now.tail_count == TAILS_MAX)
			explore_fail("more than %d tails in one run", TAILS_MAX);
		now.tails[now.tail_count++] = reader.position;
		reader.next = READER_LOADS;
	}
}

void read_all(void)
{
	while (reader_can_step())
		reader_step();
	now.tail_seen = now.tail_count - 1;
}
