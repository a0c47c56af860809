// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/map.h"
#include "base/message.h"
#include "unwind/builder.h"

#define COUNTED_RULES_MOST	(512U << 10)	/* what a hostile file can make us remember */
#define NO_CHUNK		UINT32_MAX
#define NOTHING_KNOWN		0

static void hash_again(struct builder *builder, uint32_t slot_count);

/* So that nobody can write a file whose rules all hash alike. */
static uint64_t secret(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t value = 0;

	if (random)
		memcpy(&value, random, sizeof(value));
	return value;
}

int builder_begin(struct builder *builder, uint64_t start, uint64_t end, size_t most_bytes)
{
	uint64_t first = start >> KTALLY_UNWIND_CHUNK_SHIFT, chunks;

	*builder = (struct builder){ .chunk = NO_CHUNK };
	if (end <= start || (end - 1) >> KTALLY_UNWIND_CHUNK_SHIFT >= KTALLY_UNWIND_CHUNKS_MAX)
		return -EFBIG;
	chunks = ((end - 1) >> KTALLY_UNWIND_CHUNK_SHIFT) - first + 1;
	if (chunks * (sizeof(*builder->first_row) + sizeof(*builder->rows)) > most_bytes)
		return -EFBIG;
	builder->first_chunk = (uint32_t)first;
	builder->chunk_count = (uint32_t)chunks;
	builder->most_rows = (uint32_t)(most_bytes / sizeof(*builder->rows) < UINT32_MAX ?
					most_bytes / sizeof(*builder->rows) : UINT32_MAX);
	builder->first_row = memory_zeroed(chunks + 1, sizeof(*builder->first_row));
	builder->secret = secret();
	builder->rule_capacity = 256;
	builder->rules = memory_zeroed(builder->rule_capacity, sizeof(*builder->rules));
	builder->uses = memory_zeroed(builder->rule_capacity, sizeof(*builder->uses));
	builder->rule_count = 1;	/* "nothing is known" is all zeros, and not among the hashed */
	hash_again(builder, 1024);
	return 0;
}

static uint32_t *slot_of(const struct builder *builder, const struct ktally_unwind_rule *rule)
{
	uint64_t words[3];
	uint32_t at;

	memcpy(words, rule, sizeof(words));
	at = (uint32_t)hash_words(hash_words(words[0] ^ builder->secret, words[1]), words[2]);
	for (;; at++) {
		uint32_t *slot = &builder->slots[at & (builder->slot_count - 1)];

		if (!*slot || !memcmp(&builder->rules[*slot], rule, sizeof(*rule)))
			return slot;
	}
}

static void hash_again(struct builder *builder, uint32_t slot_count)
{
	free(builder->slots);
	builder->slots = memory_zeroed(slot_count, sizeof(*builder->slots));
	builder->slot_count = slot_count;
	for (uint32_t i = 1; i < builder->rule_count; i++)
		*slot_of(builder, &builder->rules[i]) = i;
}

static uint32_t number_of(struct builder *builder, const struct ktally_unwind_rule *rule)
{
	uint32_t *slot, found;

	if (!rule || rule->kind == KTALLY_UNWIND_NONE)
		return NOTHING_KNOWN;
	if (!memcmp(&builder->rules[builder->last_rule], rule, sizeof(*rule)))
		return builder->last_rule;
	slot = slot_of(builder, rule);
	found = *slot;
	if (found)
		return found;
	if (builder->rule_count == COUNTED_RULES_MOST || builder->renumbered)
		return NOTHING_KNOWN;
	if (builder->rule_count == builder->rule_capacity) {
		builder->rule_capacity *= 2;
		builder->rules = memory_resized(builder->rules, builder->rule_capacity, sizeof(*builder->rules));
		builder->uses = memory_resized(builder->uses, builder->rule_capacity, sizeof(*builder->uses));
	}
	builder->rules[builder->rule_count] = *rule;
	builder->uses[builder->rule_count] = 0;
	*slot = builder->rule_count++;
	if (builder->rule_count > builder->slot_count / 2)
		hash_again(builder, builder->slot_count * 2);
	return builder->rule_count - 1;
}

static void append(struct builder *builder, uint16_t offset, uint32_t rule)
{
	uint32_t number = rule;

	if (builder->renumbered)
		number = builder->renumbered[rule];
	else if (rule >= KTALLY_UNWIND_RULES_MAX)
		number = NOTHING_KNOWN;		/* such a table is not given out: see builder_again() */
	if (rule != NOTHING_KNOWN && number == NOTHING_KNOWN)
		builder->rows_given_up++;
	builder->uses[rule]++;
	builder->last_rule = rule;
	if (builder->row_count == builder->most_rows) {
		builder->overflow = true;
		return;
	}
	if (builder->row_count == builder->row_capacity) {
		/* By half, as rows are most of what a table needs. */
		builder->row_capacity = builder->row_capacity ? builder->row_capacity + builder->row_capacity / 2 : 1024;
		builder->rows = memory_resized(builder->rows, builder->row_capacity, sizeof(*builder->rows));
	}
	builder->rows[builder->row_count++] = (struct ktally_unwind_row){ offset, (uint16_t)number };
}

/* Chunks up to this one begin with what was last said. */
static void go_to_chunk(struct builder *builder, uint32_t chunk)
{
	while (builder->chunk != chunk) {
		builder->chunk++;	/* from NO_CHUNK to 0 */
		builder->first_row[builder->chunk] = builder->row_count;
		append(builder, 0, builder->last_rule);
	}
}

void builder_row(struct builder *builder, uint64_t offset, const struct ktally_unwind_rule *rule)
{
	uint64_t chunk = (offset >> KTALLY_UNWIND_CHUNK_SHIFT) - builder->first_chunk;
	uint32_t number = number_of(builder, rule);
	const struct ktally_unwind_row *last;

	if (chunk >= builder->chunk_count || builder->overflow)
		return;
	go_to_chunk(builder, (uint32_t)chunk);
	if (number == builder->last_rule || builder->overflow)
		return;
	last = &builder->rows[builder->row_count - 1];
	if (last->offset == (uint16_t)offset) {
		bool first = --builder->row_count == builder->first_row[builder->chunk];

		builder->uses[builder->last_rule]--;
		/* What holds before it may be just this. */
		if (!first && !builder->renumbered && last[-1].rule == number) {
			builder->last_rule = number;
			return;
		}
	}
	append(builder, (uint16_t)offset, number);
}

static int by_uses(const void *a, const void *b, void *context)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
	const uint32_t *uses = context;

	if (uses[one] != uses[other])
		return uses[one] > uses[other] ? -1 : 1;
	return one < other ? -1 : one > other;
}

bool builder_again(struct builder *builder)
{
	uint32_t *ranking;

	if (builder->renumbered || builder->overflow || builder->rule_count <= KTALLY_UNWIND_RULES_MAX)
		return false;
	ranking = memory_zeroed(builder->rule_count, sizeof(*ranking));
	for (uint32_t i = 0; i < builder->rule_count; i++)
		ranking[i] = i;
	qsort_r(ranking + 1, builder->rule_count - 1, sizeof(*ranking), by_uses, builder->uses);
	builder->renumbered = memory_zeroed(builder->rule_count, sizeof(*builder->renumbered));
	for (uint32_t i = 1; i < KTALLY_UNWIND_RULES_MAX; i++)
		builder->renumbered[ranking[i]] = (uint16_t)i;
	free(ranking);
	builder->row_count = 0;
	builder->rows_given_up = 0;
	builder->chunk = NO_CHUNK;
	builder->last_rule = NOTHING_KNOWN;
	return true;
}

static void keep_rules(struct builder *builder, struct unwind_table *table)
{
	table->rule_count = builder->rule_count;
	if (!builder->renumbered) {
		table->rules = memory_resized(builder->rules, builder->rule_count, sizeof(*builder->rules));
		builder->rules = NULL;
		return;
	}
	table->rule_count = KTALLY_UNWIND_RULES_MAX;
	table->rules = memory_zeroed(table->rule_count, sizeof(*table->rules));
	for (uint32_t i = 1; i < builder->rule_count; i++)
		if (builder->renumbered[i])
			table->rules[builder->renumbered[i]] = builder->rules[i];
}

int builder_finish(struct builder *builder, struct unwind_table *table)
{
	int error = -EFBIG;

	*table = (struct unwind_table){ 0 };
	if (builder->chunk_count)
		go_to_chunk(builder, builder->chunk_count - 1);
	if (!builder->overflow) {
		error = 0;
		builder->first_row[builder->chunk_count] = builder->row_count;
		table->first_chunk = builder->first_chunk;
		table->chunk_count = builder->chunk_count;
		table->row_count = builder->row_count;
		table->first_row = builder->first_row;
		table->rows = memory_resized(builder->rows, builder->row_count, sizeof(*builder->rows));
		keep_rules(builder, table);
		builder->first_row = NULL;
		builder->rows = NULL;
	}
	free(builder->first_row);
	free(builder->rows);
	free(builder->rules);
	free(builder->uses);
	free(builder->renumbered);
	free(builder->slots);
	return error;
}
