// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/codes.h"

#define NAME_BYTES_MOST	1024

struct code {
	uint64_t start, end;
	uint32_t name;			/* in codes.names */
	uint32_t made;			/* the higher, the newer */
};

static int by_start(const void *a, const void *b)
{
	const struct code *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/* A heap of those that reach over where we are, the newest on top. */
struct heap {
	const struct code **list;
	size_t count;
};

static void heap_push(struct heap *heap, const struct code *code)
{
	size_t at = heap->count++;

	while (at && heap->list[(at - 1) / 2]->made < code->made) {
		heap->list[at] = heap->list[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->list[at] = code;
}

static void heap_pop(struct heap *heap)
{
	const struct code *last = heap->list[--heap->count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < heap->count && heap->list[child + 1]->made > heap->list[child]->made)
			child++;
		if (child >= heap->count || heap->list[child]->made < last->made)
			break;
		heap->list[at] = heap->list[child];
		at = child;
	}
	heap->list[at] = last;
}

/* Goes from the lowest address up: of all that reach over it, the newest has each byte. */
static size_t flatten(const struct code *list, size_t count, struct code *into)
{
	struct heap heap = { .list = memory_zeroed(count, sizeof(*heap.list)) };
	size_t next = 0, made = 0;
	uint64_t at = 0;

	while (next < count || heap.count) {
		const struct code *newest;
		uint64_t until;

		if (!heap.count)
			at = list[next].start;
		while (next < count && list[next].start <= at)
			heap_push(&heap, &list[next++]);
		while (heap.count && heap.list[0]->end <= at)
			heap_pop(&heap);
		if (!heap.count)
			continue;
		newest = heap.list[0];
		until = next < count && list[next].start < newest->end ? list[next].start : newest->end;
		if (made && into[made - 1].end == at && into[made - 1].made == newest->made) {
			into[made - 1].end = until;
		} else {
			into[made] = *newest;
			into[made].start = at;
			into[made++].end = until;
		}
		at = until;
	}
	free(heap.list);
	return made;
}

/* Names of what is left. One that was cut in two has its name twice from now on, which is rare. */
static void collect_names(struct codes *codes)
{
	size_t bytes = 0;
	char *names;

	for (size_t i = 0; i < codes->count; i++)
		bytes += strlen(codes->names + codes->list[i].name) + 1;
	if (bytes >= codes->name_bytes)
		return;
	names = memory_zeroed(bytes ? bytes : 1, 1);
	bytes = 0;
	for (size_t i = 0; i < codes->count; i++) {
		size_t length = strlen(codes->names + codes->list[i].name) + 1;

		memcpy(names + bytes, codes->names + codes->list[i].name, length);
		codes->list[i].name = (uint32_t)bytes;
		bytes += length;
	}
	free(codes->names);
	codes->names = names;
	codes->name_bytes = codes->name_capacity = bytes;
}

/* Only what is new is sorted: a map that grows by a line a second has a hundred thousand. */
static struct code *merge(struct codes *codes)
{
	struct code *sorted = memory_zeroed(codes->count, sizeof(*sorted));
	const struct code *old = codes->list, *new = codes->list + codes->settled;
	const struct code *old_end = new, *new_end = codes->list + codes->count;

	qsort(codes->list + codes->settled, codes->count - codes->settled, sizeof(*codes->list), by_start);
	for (size_t i = 0; i < codes->count; i++)
		sorted[i] = new == new_end || (old < old_end && old->start <= new->start) ? *old++ : *new++;
	return sorted;
}

void codes_settle(struct codes *codes)
{
	struct code *sorted, *flat;

	if (codes->settled == codes->count)
		return;
	sorted = merge(codes);
	free(codes->list);
	flat = memory_zeroed(2 * codes->count, sizeof(*flat));
	codes->count = flatten(sorted, codes->count, flat);
	codes->settled = codes->capacity = codes->count;
	free(sorted);
	codes->list = memory_resized(flat, codes->count, sizeof(*flat));
}

static bool make_room(struct codes *codes, size_t names)
{
	size_t list = codes->capacity, name_capacity = codes->name_capacity;

	if (codes->count == list)
		list = list ? list + list / 2 + 1 : 256;
	if (codes->name_bytes + names > name_capacity)
		name_capacity = name_capacity + name_capacity / 2 + names + 4096;
	if (list * sizeof(*codes->list) + name_capacity > codes->most_bytes || name_capacity > UINT32_MAX)
		return false;
	if (list != codes->capacity)
		codes->list = memory_resized(codes->list, list, sizeof(*codes->list));
	if (name_capacity != codes->name_capacity)
		codes->names = memory_resized(codes->names, name_capacity, 1);
	codes->capacity = list;
	codes->name_capacity = name_capacity;
	return true;
}

void codes_add(struct codes *codes, uint64_t start, uint64_t bytes, const char *name, size_t name_bytes)
{
	uint64_t end;

	if (!bytes || !name_bytes || __builtin_add_overflow(start, bytes, &end) || codes->made == UINT32_MAX)
		return;
	if (name_bytes > NAME_BYTES_MOST)
		name_bytes = NAME_BYTES_MOST;
	name_bytes = strnlen(name, name_bytes);
	if (!codes->refused && !make_room(codes, name_bytes + 1)) {
		/* What was overwritten makes room; where that does not help, it is not tried again. */
		codes_settle(codes);
		collect_names(codes);
		if (codes_bytes(codes) > codes->most_bytes / 2 || !make_room(codes, name_bytes + 1))
			codes->refused++;
	} else if (codes->refused) {
		codes->refused++;
	}
	if (codes->refused)
		return;
	memcpy(codes->names + codes->name_bytes, name, name_bytes);
	codes->names[codes->name_bytes + name_bytes] = '\0';
	codes->list[codes->count++] = (struct code){
		.start = start, .end = end, .name = (uint32_t)codes->name_bytes, .made = codes->made++,
	};
	codes->name_bytes += name_bytes + 1;
}

const char *codes_find(struct codes *codes, uint64_t address, uint64_t *start)
{
	size_t low = 0, high;

	codes_settle(codes);
	high = codes->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (codes->list[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address >= codes->list[low - 1].end)
		return NULL;
	*start = codes->list[low - 1].start;
	return codes->names + codes->list[low - 1].name;
}

size_t codes_bytes(const struct codes *codes)
{
	return codes->capacity * sizeof(*codes->list) + codes->name_capacity;
}

void codes_free(struct codes *codes)
{
	free(codes->list);
	free(codes->names);
	*codes = (struct codes){ 0 };
}
