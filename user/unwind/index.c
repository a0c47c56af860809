// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "unwind/index.h"

#define OFFSET_MOST	(1ULL << 36)

bool index_locate(const struct elf *elf, uint64_t address, uint64_t bytes, uint64_t *start, uint32_t *length)
{
	if (!address || !bytes)
		return false;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		uint64_t within = address - segment->address, left;

		if (!segment->executable || address < segment->address || within >= segment->file_bytes)
			continue;
		left = segment->file_bytes - within;
		if (segment->offset >= OFFSET_MOST || within >= OFFSET_MOST - segment->offset)
			return false;
		*start = segment->offset + within;
		if (bytes > left)
			bytes = left;
		*length = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
		return true;
	}
	return false;
}

void index_add(struct index *index, unsigned int source, uint64_t address, uint64_t bytes, uint32_t at)
{
	uint64_t start;
	uint32_t length;

	if (!index_locate(index->elf, address, bytes, &start, &length))
		return;
	if (index->count == index->most) {
		index->overflow = true;
		return;
	}
	if (index->count == index->capacity) {
		index->capacity = index->capacity ? index->capacity + index->capacity / 2 : 256;
		index->list = memory_resized(index->list, index->capacity, sizeof(*index->list));
	}
	index->list[index->count++] = (struct function){ .start = start, .source = (uint8_t)source, .bytes = length,
							 .at = at };
}

/* Of functions at the same place, the one that was told of first counts. */
static int by_start(const void *a, const void *b)
{
	const struct function *one = a, *other = b;

	if (one->start != other->start)
		return one->start < other->start ? -1 : 1;
	return one->at < other->at ? -1 : one->at > other->at;
}

static bool is_sorted(const struct function *list, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (by_start(&list[i - 1], &list[i]) > 0)
			return false;
	return true;
}

static void sort(struct function *list, size_t count)
{
	if (!is_sorted(list, count))
		qsort(list, count, sizeof(*list), by_start);
}

static size_t without_doubles(struct function *list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!kept || list[kept - 1].start != list[i].start)
			list[kept++] = list[i];
	return kept;
}

static uint64_t end_of(const struct function *function)
{
	return function->start + function->bytes;
}

/* Those of the second list that overlap none of the first. Both are in order, the first one's functions may overlap. */
static size_t only_new(const struct function *first, size_t first_count, struct function *second, size_t count)
{
	uint64_t covered = 0;
	size_t kept = 0, next = 0;

	for (size_t i = 0; i < count; i++) {
		for (; next < first_count && first[next].start <= second[i].start; next++)
			if (end_of(&first[next]) > covered)
				covered = end_of(&first[next]);
		if (second[i].start >= covered && (next == first_count || first[next].start >= end_of(&second[i])))
			second[kept++] = second[i];
	}
	return kept;
}

size_t index_merge(struct index *index)
{
	size_t count = index->count - index->sorted;
	struct function *fresh;

	if (!count)
		return 0;
	fresh = index->list + index->sorted;
	sort(fresh, count);
	count = without_doubles(fresh, count);
	count = only_new(index->list, index->sorted, fresh, count);
	index->count = index->sorted + count;
	sort(index->list, index->count);
	index->sorted = index->count;
	return count;
}
