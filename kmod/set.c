// SPDX-License-Identifier: GPL-2.0
#include "set.h"

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

int ktally_set_init(struct ktally_set *set, u32 lines, int node)
{
	WARN_ON_ONCE(!is_power_of_2(lines));
	set->lines = kvzalloc_node(array_size(lines, sizeof(*set->lines)), GFP_KERNEL_ACCOUNT, node);
	if (!set->lines)
		return -ENOMEM;
	set->mask = lines - 1;
	return 0;
}

void ktally_set_destroy(struct ktally_set *set)
{
	kvfree(set->lines);
	set->lines = NULL;
}

/* A hit moves to the front, so that the last in a line is the one that was not seen for longest. */
bool ktally_set_contains(struct ktally_set *set, u64 id)
{
	u64 *line = set->lines[id & set->mask];
	unsigned int way;

	for (way = 0; way < KTALLY_SET_WAYS; way++) {
		if (line[way] != id)
			continue;
		if (way) {
			memmove(&line[1], &line[0], way * sizeof(line[0]));
			line[0] = id;
		}
		return true;
	}
	return false;
}

void ktally_set_add(struct ktally_set *set, u64 id)
{
	u64 *line = set->lines[id & set->mask];

	memmove(&line[1], &line[0], (KTALLY_SET_WAYS - 1) * sizeof(line[0]));
	line[0] = id;
}

void ktally_set_clear(struct ktally_set *set)
{
	memset(set->lines, 0, ((size_t)set->mask + 1) * sizeof(*set->lines));
}
