// SPDX-License-Identifier: GPL-2.0
#include "ids.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

/* The ids are hashes already; open addressing. */
static struct id *slot_of(const struct ids *ids, uint64_t id)
{
	uint64_t i = id & (ids->size - 1);

	while (ids->slots[i].id && ids->slots[i].id != id)
		i = (i + 1) & (ids->size - 1);
	return &ids->slots[i];
}

static void grow(struct ids *ids)
{
	struct ids old = *ids;
	uint64_t i;

	ids->size = old.size ? 2 * old.size : 1024;
	ids->slots = calloc(ids->size, sizeof(*ids->slots));
	if (!ids->slots)
		err(1, "calloc");
	for (i = 0; i < old.size; i++)
		if (old.slots[i].id)
			*slot_of(ids, old.slots[i].id) = old.slots[i];
	free(old.slots);
}

struct id *ids_find(const struct ids *ids, uint64_t id)
{
	struct id *slot;

	if (!id || !ids->size)
		return NULL;
	slot = slot_of(ids, id);
	return slot->id ? slot : NULL;
}

struct id *ids_get(struct ids *ids, uint64_t id)
{
	struct id *slot;

	if (2 * ids->count >= ids->size)
		grow(ids);
	slot = slot_of(ids, id);
	if (!slot->id) {
		slot->id = id;
		ids->count++;
	}
	return slot;
}

void ids_clear(struct ids *ids)
{
	uint64_t i;

	for (i = 0; i < ids->size; i++)
		free(ids->slots[i].record);
	free(ids->slots);
	memset(ids, 0, sizeof(*ids));
}
